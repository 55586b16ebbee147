"""How fast a world is played, and what the adapter adds to the time of an environment of others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from bnpg_coordinator.environments.guard import guarded
from bnpg_coordinator.environments.probe import LANES, keyed_actions
from bnpg_coordinator.environments.teams import Team
from bnpg_coordinator.environments.world import EnvironmentWorld
from bnpg_coordinator.worlds.interface import World

PAIRS = 9
"""Rounds that are played each way, in turns, so that whatever else the machine does strikes both."""
ROUND_SECONDS = 1 / 30
"""About how long a round takes, unless it is over before."""
STEPS = 100
"""Of a round, at most."""
LEAST = 1e-7
"""Seconds of a step: less is not told apart from nothing."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Speed:
    """How long a step of one lane takes: the least of some rounds, since a busy machine can but add to it.

    Parameters
    ----------
    seconds : float
        Through the seam, the beginnings of episodes included.
    alone : float or None
        The environment alone, played as long, with as many lanes; None if the world is made of none.
    added : float or None
        What the adapter adds; None where it is too little to be measured.
    """

    seconds: float
    alone: float | None = None
    added: float | None = None


def measured_speed(world: World, name: str, seed: int, patience: float, clock: Clock) -> Speed:
    """Measure how fast a world is played, and beside it in turns its environment alone.

    Parameters
    ----------
    world : World
    name : str
        What it is called.
    seed : int
        For the actions of the environment alone.
    patience : float
        Seconds after which a round of the environment alone counts as hung.
    clock : callable
        Returns seconds.

    Raises
    ------
    InputError
        If another of its environments cannot be made.
    WorldFailed
    """
    steps = _fitting_steps(world, clock)
    own = _Alone(world, seed, clock) if isinstance(world, EnvironmentWorld) else None
    through, alone = [], []
    for round_ in range(1, 1 + PAIRS):
        through.append(_seconds_a_step(world, round_, steps, clock))
        if own is not None:
            own.make()
            alone.append(guarded(lambda: own.seconds_a_step(steps), patience, lambda: f"{name}, alone"))
    if not alone:
        return Speed(min(through))
    added = min(through) - min(alone)
    # Three pairs of four have to say too that it is more at all.
    told = min(added, np.quantile(np.subtract(through, alone), 0.25)) > LEAST
    return Speed(min(through), min(alone), added if told else None)


def _fitting_steps(world: World, clock: Clock) -> int:
    """Return how many steps a round is to have, after playing one that is not counted."""
    start, steps = clock(), 0
    begun = world.begin(0, 0, LANES)
    seen = begun.first
    while steps < STEPS and clock() - start < ROUND_SECONDS:
        following = begun.step(steps, 0, seen, keyed_actions(world.actions, seen, 0, steps, 0), LANES)
        assert following is not None
        seen, steps = following, steps + 1
    return max(steps, 1)


def _seconds_a_step(world: World, round_: int, steps: int, clock: Clock) -> float:
    """Return seconds of a step of one lane, through the seam; actions are drawn outside of the time."""
    start = clock()
    begun = world.begin(0, round_, LANES)
    spent = clock() - start
    seen = begun.first
    for time_ in range(steps):
        actions = keyed_actions(world.actions, seen, 0, time_, 0)
        start = clock()
        following = begun.step(time_, 0, seen, actions, LANES)
        spent += clock() - start
        assert following is not None
        seen = following
    return spent / (steps * LANES)


class _Alone:
    """The environments of a world, played without it."""

    def __init__(self, world: EnvironmentWorld, seed: int, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._rng = np.random.default_rng(seed)
        self._teams: list[Team] = []
        self._seen: list[tuple[Any, Any]] = [({}, {})] * LANES

    def make(self) -> None:
        """Make one for each lane, where that is still to be done."""
        while len(self._teams) < LANES:
            self._teams.append(self._world.make())

    def seconds_a_step(self, steps: int) -> float:
        """Return seconds of a step of one lane in a round; actions are drawn outside of the time."""
        start = self._clock()
        for lane in range(LANES):
            self._reset(lane)
        spent = self._clock() - start
        for _ in range(steps):
            joint = [self._actions(lane) for lane in range(LANES)]
            start = self._clock()
            for lane, actions in enumerate(joint):
                observed, _, _, _, infos = self._teams[lane].step(actions)
                self._seen[lane] = observed, infos
                if not self._teams[lane].agents:
                    self._reset(lane)
            spent += self._clock() - start
        return spent / (steps * LANES)

    def _reset(self, lane: int) -> None:
        if self._world.fresh:
            self._teams[lane] = self._world.make()
        self._seen[lane] = self._teams[lane].reset(seed=int(self._rng.integers(2**31)))

    def _actions(self, lane: int) -> dict[Any, int]:
        team, (observed, infos) = self._teams[lane], self._seen[lane]
        actions = {}
        for agent in team.agents:
            space = team.action_space(agent)
            mask = _mask(observed[agent], (infos or {}).get(agent))
            choices = np.arange(int(space.n)) if mask is None else np.flatnonzero(mask)
            actions[agent] = int(self._rng.choice(choices)) + int(space.start) if len(choices) else 0
        return actions


def _mask(observed: Any, info: Any) -> Any:
    if isinstance(observed, dict) and "action_mask" in observed:
        return observed["action_mask"]
    return info.get("action_mask") if isinstance(info, dict) else None
