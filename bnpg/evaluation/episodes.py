"""Episodes that a policy plays for measurement alone: drawn, not greedy, and the same for every policy.

Everything random is addressed by (stream, batch, time, lane, agent), so two policies meet the same luck:
their difference has far less noise than either of their returns.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from bnpg_coordinator.worlds.interface import Seen, World
from numpy.typing import NDArray

from bnpg.evaluation import playing
from bnpg.evaluation.paid import Paid
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.streams import Purpose, generator, uniforms
from bnpg_math.dag import Dag
from bnpg_math.exact.centred import returns_spread, usual_reward
from bnpg_math.exact.rounding import SMALLEST
from bnpg_math.games.game import Game

AT_ONCE_GAME, AT_ONCE_SIMULATOR = 4096, 64
"""Episodes side by side: instances of an environment may be slow to make."""
MOST_STEPS = 100_000


class Episodes(NamedTuple):
    """What whole episodes paid, and what of them was not played."""

    returns: FloatArray
    """(K,): undiscounted, or in a world without episodes of its own discounted, and of a game whose model is
    known without what its rewards usually are."""
    off: float
    """How far each may be from what it stands for by rounding."""
    steps: int
    """Of the longest."""
    cut: int
    """How many were not over when they were cut, where episodes have ends of their own."""
    left: float
    """Where they have none: the discount of the first step that was not played."""

    def tail(self, model: Game | None) -> float:
        """Return what may be missing of a difference of two returns that were cut here, at the most.

        0 without a model, where nothing is known of it.
        """
        if model is None or not self.left or not (spread := returns_spread(model)):
            return 0.0
        return self.left * spread * (1.0 + 1e-9) + SMALLEST


class Acts(Protocol):
    """Draws actions, as every policy does."""

    def draw(
        self,
        seen: NDArray[Any],
        parents: Sequence[IntArray],
        uniforms: FloatArray,
        legal: NDArray[np.uint8] | None = None,
    ) -> IntArray:
        """Draw an action in every lane."""


Visit = Callable[[int, Any, Sequence[IntArray]], None]
"""Called as (agent, what was seen, parents' actions) with the lanes that are under way."""


def stream(seed: int, index: int) -> int:
    """Return the seed of some of an experiment's evaluation episodes; `index` says which."""
    return int(generator(seed, Purpose.EVALUATION, index=index).integers(2**63))


def play_episodes(
    world: World,
    dag: Dag,
    policies: Sequence[Acts],
    seed: int,
    episodes: int,
    steps: int = 0,
    met: Visit | None = None,
) -> Episodes:
    """Play whole episodes.

    Parameters
    ----------
    world : World
    dag : Dag
    policies : sequence of N policies
    seed : int
        From :func:`stream`.
    episodes : int
        K, rounded up to whole batches.
    steps : int
        After how many an episode is cut; 0: only games without an end are, where nothing more counts.
    met : callable, optional
        Is told what every agent met at every step.

    Returns
    -------
    Episodes

    Raises
    ------
    WorldFailed
    """
    at_once = min(episodes, AT_ONCE_GAME if world.model is not None else AT_ONCE_SIMULATOR)
    usual = 0.0 if world.model is None else usual_reward(world.model)
    batches = [
        _play(world, dag, policies, seed, batch, Paid(at_once, usual), steps or MOST_STEPS, met)
        for batch in range(-(-episodes // at_once))
    ]
    returns, off, made, cut, left = zip(*batches, strict=True)
    return Episodes(np.concatenate(returns), max(off), max(made), sum(cut), max(left))


def _play(
    world: World,
    dag: Dag,
    policies: Sequence[Acts],
    seed: int,
    batch: int,
    paid: Paid,
    most: int,
    met: Visit | None,
) -> Episodes:
    """Play each lane's first episode, of which `paid` knows nothing yet."""
    lanes = paid.lanes

    def choose(agent: int, time: int, seen: Seen, parents: Sequence[IntArray]) -> IntArray:
        drawn = uniforms(seed, Purpose.ACTIONS, agent, batch, time, lanes)
        legal = seen.legal[agent] if seen.legal else None
        return policies[agent].draw(seen.by(agent), parents, drawn, legal)

    made, cut, left = 0, lanes, 0.0
    for step in playing.steps(world, dag, choose, seed, batch, lanes, most):
        if met is not None:
            under_way = ~step.before
            for agent, parents in enumerate(dag.parents):
                heard = [step.actions[parent][under_way] for parent in parents]
                met(agent, step.seen.by(agent)[under_way], heard)
        paid.add(step)
        made, cut, left = step.time + 1, int(np.count_nonzero(~step.over)), step.left
    return Episodes(paid.returns, paid.off, made, 0 if left else cut, left)
