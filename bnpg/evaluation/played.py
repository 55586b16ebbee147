"""How good a policy is where no model is known: its return over episodes that nobody trained on.

Every agent takes its most probable action, of those that are allowed. The episodes are drawn for this purpose
alone and are the same for every policy of an experiment's seed, so that two policies are compared on equal
terms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from bnpg_coordinator.worlds.interface import End, EpisodicPlay, Seen, World
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.streams import Purpose, generator
from bnpg_math.dag import Dag

LANES, ROUNDS = 20, 5
"""Together 100 episodes, some at once: an environment may be slow to make."""
MOST_STEPS = 1000
"""Steps after which an episode is cut, if those of a round are fewer."""
NEGLIGIBLE = 1e-6
"""Discount below which nothing more is added up."""
WIDTH = 1.959963984540054
"""Standard errors on either side: of means of many episodes, 95 of 100 such intervals hold the true one."""


@dataclass(frozen=True)
class Returns:
    """Returns of some episodes: undiscounted, or in a world without episodes of its own discounted."""

    mean: float
    low: float
    high: float
    """Ends of the interval."""
    episodes: int
    cut: int
    """How many were not over when they were cut."""


def evaluate_by_playing(
    world: World, dag: Dag, thetas: Sequence[FloatArray], seed: int, steps: int
) -> Returns:
    """Play whole episodes greedily.

    Parameters
    ----------
    world : World
        Everybody sees states.
    dag : Dag
    thetas : sequence of N arrays (S_i, *P, A_i) float
    seed : int
        The experiment's.
    steps : int
        Of a round: no episode is cut before that.

    Raises
    ------
    WorldFailed
    """
    own = int(generator(seed, Purpose.EVALUATION, index=1).integers(2**63))
    most = max(steps, MOST_STEPS)
    returns, cut = [], 0
    for round_ in range(ROUNDS):
        paid, ended = _play(world, dag, thetas, own, round_, most)
        returns.append(paid)
        cut += int(np.count_nonzero(~ended))
    total = np.concatenate(returns)
    mean = math.fsum(total.tolist()) / total.size
    width = WIDTH * float(total.std(ddof=1)) / math.sqrt(total.size)
    return Returns(mean, mean - width, mean + width, total.size, cut)


def _play(
    world: World, dag: Dag, thetas: Sequence[FloatArray], seed: int, round_: int, most: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return what each lane's first episode paid, and whether it came to its end."""
    play = world.begin(seed, round_, LANES)
    own = isinstance(play, EpisodicPlay)
    weight = 1.0
    seen: Seen | None = play.first
    ended = np.zeros(LANES, dtype=bool)
    paid = np.zeros(LANES)
    for time in range(most):
        assert seen is not None
        actions: list[IntArray] = [np.zeros(0, dtype=np.int64)] * dag.agents
        for agent in dag.order:
            heard = [actions[parent] for parent in dag.parents[agent]]
            actions[agent] = greedy(thetas[agent], seen, agent, heard)
        seen = play.step(time, 0, seen, actions, LANES)
        paid[~ended] += weight * play.rewards()[-1][~ended]
        if isinstance(play, EpisodicPlay):
            ended |= play.ends()[-1] != End.GOES_ON
        if not own:
            # Without an end, what is still to come counts less and less: as good as over at some time.
            weight *= world.gamma
            ended |= weight <= NEGLIGIBLE
        if ended.all():
            break
    return paid, ended


def greedy(theta: FloatArray, seen: Seen, agent: int, parents: Sequence[IntArray]) -> IntArray:
    """Return an agent's most probable action in every lane, the first of equal ones.

    Parameters
    ----------
    theta : (S, *P, A) float
    seen : Seen
    agent : int
    parents : sequence of (n,) int
    """
    rows = theta[(seen.by(agent), *parents)]
    if seen.legal:
        rows = np.where(seen.legal[agent] != 0, rows, -np.inf)
    chosen: IntArray = rows.argmax(axis=-1)
    return chosen
