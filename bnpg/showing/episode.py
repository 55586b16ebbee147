"""One episode of a policy, turn by turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bnpg_coordinator.worlds.interface import Seen, World

from bnpg.evaluation import playing
from bnpg.evaluation.episodes import stream
from bnpg.evaluation.played import Scores
from bnpg_math.arrays import IntArray
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag
from bnpg_math.policies.interface import Policy

SHOWING = 4
"""Stream of evaluation: of the episodes that people look at."""


@dataclass(frozen=True)
class ShownTurn:
    """What happened at one time."""

    time: int
    seen: tuple[list[float], ...]
    """What each agent saw; a state is a single number."""
    shared: bool
    """Whether that is one thing, which everybody sees."""
    actions: tuple[int, ...]
    reward: float
    over: bool
    """Whether the episode ended with it."""


def turns(
    world: World,
    dag: Dag,
    team: Sequence[Policy],
    scores: Sequence[Scores],
    seed: int,
    episode: int,
    steps: int,
    drawn: bool,
) -> Iterator[ShownTurn]:
    """Play one episode.

    Parameters
    ----------
    world : World
    dag : Dag
    team : sequence of N policies
    scores : sequence of N callables
        Of the same policies.
    seed : int
        The experiment's.
    episode : int
        Which one.
    steps : int
        After how many it is cut.
    drawn : bool
        Whether actions are drawn from the policy; otherwise everybody takes its most probable one.

    Raises
    ------
    WorldFailed
    """
    own = stream(seed, SHOWING)

    def choose(agent: int, time: int, seen: Seen, parents: Sequence[IntArray]) -> IntArray:
        if not drawn:
            chosen: IntArray = scores[agent](seen, agent, parents).argmax(axis=-1)
            return chosen
        chance = uniforms(own, Purpose.ACTIONS, agent, episode, time, 1)
        legal = seen.legal[agent] if seen.legal else None
        return team[agent].draw(seen.by(agent), parents, chance, legal)

    for step in playing.steps(world, dag, choose, own, episode, 1, steps):
        sights = tuple(_numbers(step.seen.by(agent)[0]) for agent in range(dag.agents))
        shared = not isinstance(step.seen.of, tuple)
        actions = tuple(int(action[0]) for action in step.actions)
        yield ShownTurn(step.time, sights, shared, actions, float(step.rewards[0]), bool(step.over[0]))


def _numbers(seen: Any) -> list[float]:
    return [float(number) for number in np.atleast_1d(seen)]
