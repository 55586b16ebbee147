"""Playing episodes outside of training: one loop for everything that is measured or shown by it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from bnpg_coordinator.worlds.interface import End, EpisodicPlay, Seen, World
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.dag import Dag

NEGLIGIBLE = 1e-6
"""Discount below which nothing more of an episode without an end is added up."""
Choose = Callable[[int, int, Seen, Sequence[IntArray]], IntArray]
"""Returns what an agent does in every lane at a time, from what is seen and its parents' actions."""


class Step(NamedTuple):
    """One step of all lanes."""

    time: int
    seen: Seen
    actions: list[IntArray]
    rewards: FloatArray
    """(n,) of the team."""
    weight: float
    """What they count: 1, or where episodes have no end of their own the discount."""
    before: NDArray[np.bool_]
    """(n,): whose first episode was over before it."""
    over: NDArray[np.bool_]
    """(n,): whose is over with it."""
    left: float
    """What all that comes after it may count, where episodes have no end of their own; else 0."""


def steps(
    world: World, dag: Dag, choose: Choose, seed: int, round_: int, lanes: int, most: int
) -> Iterator[Step]:
    """Play the first episode of every lane, until all are over.

    Where episodes have no end, what is still to come counts less and less: as good as over at some time.

    Parameters
    ----------
    world : World
    dag : Dag
    choose : callable
        Called as (agent, time, seen, parents' actions).
    seed, round_, lanes : int
        Of the round that is begun.
    most : int
        Steps that are made at the most.

    Raises
    ------
    WorldFailed
    """
    play = world.begin(seed, round_, lanes)
    weight = 1.0
    seen: Seen | None = play.first
    over: NDArray[np.bool_] = np.zeros(lanes, dtype=bool)
    for time in range(most):
        assert seen is not None
        actions: list[IntArray] = [np.zeros(0, dtype=np.int64)] * dag.agents
        for agent in dag.order:
            parents = [actions[parent] for parent in dag.parents[agent]]
            actions[agent] = choose(agent, time, seen, parents)
        following = play.step(time, 0, seen, actions, lanes)
        counted, before = weight, over
        if isinstance(play, EpisodicPlay):
            over, left = before | (play.ends()[-1] != End.GOES_ON), 0.0
        else:
            weight *= world.gamma
            over, left = before | (weight <= NEGLIGIBLE), weight
        yield Step(time, seen, actions, play.rewards()[-1], counted, before, over, left)
        if over.all():
            return
        seen = following
