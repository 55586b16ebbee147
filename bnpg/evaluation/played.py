"""How good a policy is where no model is known: its return over episodes that nobody trained on.

Every agent takes its most probable action, of those that are allowed, or draws one as in training. The
episodes are drawn for this purpose alone and are the same for every policy of an experiment's seed, so that
two policies are compared on equal terms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from bnpg_coordinator.worlds.interface import Seen, World
from numpy.typing import NDArray

from bnpg.evaluation import playing
from bnpg.evaluation.means import estimate
from bnpg.evaluation.paid import Paid
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.sampling import cumulative, invert
from bnpg_math.chance.streams import Purpose, generator, uniforms
from bnpg_math.dag import Dag
from bnpg_math.policies.network import NetworkPolicy
from bnpg_math.policies.softmax import log_policy

LANES, ROUNDS = 20, 5
"""Together 100 episodes, some at once: an environment may be slow to make."""
MOST_STEPS = 1000
"""Steps after which an episode is cut, if those of a round are fewer."""


@dataclass(frozen=True)
class Returns:
    """Returns of some episodes: undiscounted, or in a world without episodes of its own discounted."""

    mean: float
    low: float
    high: float
    """Ends of the interval."""
    alike: bool
    """Whether all were, up to rounding: the interval then says nothing of how others would scatter."""
    episodes: int
    cut: int
    """How many were not over when they were cut."""


Scores = Callable[[Seen, int, Sequence[IntArray]], FloatArray]
"""Returns the logarithm, up to a constant a row, of the probability of every action of an agent in every
lane, (n, A): minus infinity for what may not be taken."""


def evaluate_by_playing(
    world: World, dag: Dag, scores: Sequence[Scores], seed: int, steps: int, sampled: bool = False
) -> Returns:
    """Play whole episodes, greedily or as in training.

    Parameters
    ----------
    world : World
    dag : Dag
    scores : sequence of N callables
        From `scores_of_tables` or `scores_of_networks`.
    seed : int
        The experiment's.
    steps : int
        Of a round: no episode is cut before that.
    sampled : bool
        Whether actions are drawn instead of the most probable ones being taken, in the same episodes.

    Raises
    ------
    WorldFailed
    """
    own = int(generator(seed, Purpose.EVALUATION, index=1).integers(2**63))
    most = max(steps, MOST_STEPS)
    returns, off, cut = [], 0.0, 0
    for round_ in range(ROUNDS):
        paid, ended = _play(world, dag, scores, own, round_, most, sampled)
        returns.append(paid.returns)
        off = max(off, paid.off)
        cut += int(np.count_nonzero(~ended))
    total = np.concatenate(returns)
    mean = estimate(total, off)
    alike = bool(np.ptp(total) <= 2.0 * off)
    return Returns(mean.value, mean.low, mean.high, alike, total.size, cut)


def _play(
    world: World,
    dag: Dag,
    scores: Sequence[Scores],
    seed: int,
    round_: int,
    most: int,
    sampled: bool,
) -> tuple[Paid, NDArray[np.bool_]]:
    """Return what each lane's first episode paid, and whether it came to its end."""

    def choose(agent: int, time: int, seen: Seen, parents: Sequence[IntArray]) -> IntArray:
        found = scores[agent](seen, agent, parents)
        if not sampled:
            chosen: IntArray = found.argmax(axis=-1)
            return chosen
        drawn = uniforms(seed, Purpose.ACTIONS, agent, round_, time, LANES)
        return invert(cumulative(np.exp(log_policy(found))), np.arange(LANES), drawn)

    paid = Paid(LANES)
    ended: NDArray[np.bool_] = np.zeros(LANES, dtype=bool)
    for step in playing.steps(world, dag, choose, seed, round_, LANES, most):
        paid.add(step)
        ended = step.over
    return paid, ended


def scores_of_tables(thetas: Sequence[FloatArray]) -> list[Scores]:
    """Return the scores of tables of logits, (S_i, *P, A_i) each."""

    def scores(seen: Seen, agent: int, parents: Sequence[IntArray]) -> FloatArray:
        rows: FloatArray = thetas[agent][(seen.by(agent), *parents)]
        return np.where(seen.legal[agent] != 0, rows, -np.inf) if seen.legal else rows

    return [scores] * len(thetas)


def scores_of_networks(team: Sequence[NetworkPolicy]) -> list[Scores]:
    """Return the scores of networks."""

    def scores(seen: Seen, agent: int, parents: Sequence[IntArray]) -> FloatArray:
        legal = None
        if seen.legal:
            # Who takes no part may have nothing to choose; what is found for it counts for nothing.
            anything = seen.legal[agent].max(axis=1, keepdims=True) == 0
            legal = np.where(anything, np.uint8(1), seen.legal[agent])
        return team[agent].log_pi(seen.by(agent), parents, legal)

    return [scores] * len(team)
