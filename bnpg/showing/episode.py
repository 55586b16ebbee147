"""One episode of a policy, turn by turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bnpg_coordinator.worlds.interface import End, EpisodicPlay, Seen, World

from bnpg.evaluation.episodes import NEGLIGIBLE, stream
from bnpg.evaluation.played import Scores
from bnpg_math.arrays import IntArray
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag
from bnpg_math.policies.interface import Policy

SHOWING = 4
"""Stream of evaluation: of the episodes that people look at."""


@dataclass(frozen=True)
class Turn:
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
) -> Iterator[Turn]:
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
    play = world.begin(own, episode, 1)
    seen: Seen | None = play.first
    weight = 1.0
    for time in range(steps):
        assert seen is not None
        actions: list[IntArray] = [np.zeros(0, dtype=np.int64)] * dag.agents
        for agent in dag.order:
            heard = [actions[parent] for parent in dag.parents[agent]]
            if drawn:
                chance = uniforms(own, Purpose.ACTIONS, agent, episode, time, 1)
                legal = seen.legal[agent] if seen.legal else None
                actions[agent] = team[agent].draw(seen.by(agent), heard, chance, legal)
            else:
                actions[agent] = scores[agent](seen, agent, heard).argmax(axis=-1)
        sights = tuple(_numbers(seen.by(agent)[0]) for agent in range(dag.agents))
        shared = not isinstance(seen.of, tuple)
        seen = play.step(time, 0, seen, actions, 1)
        weight *= world.gamma
        if isinstance(play, EpisodicPlay):
            over = bool(play.ends()[-1][0] != End.GOES_ON)
        else:
            over = weight <= NEGLIGIBLE
        chosen = tuple(int(one[0]) for one in actions)
        yield Turn(time, sights, shared, chosen, float(play.rewards()[-1][0]), over)
        if over:
            return


def _numbers(seen: Any) -> list[float]:
    return [float(one) for one in np.atleast_1d(seen)]
