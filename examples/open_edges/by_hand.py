"""What edges that open and shut could be worth in `assign`, if everybody did the best that it hears of."""

from typing import NamedTuple

import numpy as np
from bnpg_coordinator.worlds.bundled.assign import Assign

from bnpg.evaluation.episodes import stream
from bnpg_math.arrays import FloatArray
from bnpg_math.chance.streams import Purpose, generator

EPISODES = 100_000


class ByHand(NamedTuple):
    """Of every episode."""

    returns: FloatArray
    opened: FloatArray


def assign(seed: int, episodes: int = EPISODES) -> ByHand:
    """Let each take in turn the task that is worth most to it, of those that it does not hear to be taken.

    The coordinator opens an edge exactly if the parent has taken what the child would take next. So all take
    what they would on the complete graph.
    """
    world = Assign()
    drawn = generator(stream(seed, 300), Purpose.EVALUATION).random((world.draws[0], episodes))
    state = world.begin(drawn)
    lanes = np.arange(episodes)
    opened = np.zeros(episodes)
    actions = [np.zeros(episodes, dtype=np.int64)] * world.agents
    for agent, worths in enumerate(world.see(state)):
        free = np.ones((episodes, world.tasks), dtype=bool)
        for _ in range(world.tasks):
            wanted = np.where(free, worths, -1.0).argmax(axis=1)
            taken = np.any([actions[parent] == wanted for parent in range(agent)], axis=0)
            if not np.any(taken):
                break
            hit = lanes[taken]
            free[hit, wanted[hit]] = False
            opened[hit] += 1.0  # on the way nobody takes what is taken, so one parent has it
        actions[agent] = wanted
    _, returns = world.step(state, actions, drawn)
    return ByHand(returns, opened)
