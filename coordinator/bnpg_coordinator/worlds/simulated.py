"""The world of a simulator that steps many lanes at once: pure functions of states, actions and uniforms.

Every number that a simulator draws has an address: lane, round and step. Episodes have a fixed length, so all
lanes are in the same step of the same episode, and the address by step is one by episode and time too.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Box, End, Seen
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.prefetch import PrefetchedUniforms
from bnpg_math.chance.streams import Purpose, uniforms

State = tuple[NDArray[Any], ...]
"""All there is to know of n lanes: arrays with the lanes along the first axis, never written to again."""


class Simulator(Protocol):
    """A simulator whose episodes all have the same number of steps."""

    @property
    def name(self) -> str:
        """What it is, with all its parameters."""

    @property
    def actions(self) -> tuple[int, ...]:
        """How many actions each agent has."""

    @property
    def spaces(self) -> tuple[Box, ...]:
        """What each agent sees."""

    @property
    def length(self) -> int:
        """T, the steps of an episode."""

    @property
    def end(self) -> int:
        """What the last step does to an episode, of `End`."""

    @property
    def draws(self) -> tuple[int, int]:
        """How many uniforms a lane needs for a first state, and for a step."""

    def begin(self, drawn: FloatArray) -> State:
        """Return first states from uniforms (K, n)."""

    def step(self, state: State, actions: Sequence[IntArray], drawn: FloatArray) -> tuple[State, FloatArray]:
        """Return the states that follow, and the team's rewards (n,)."""

    def see(self, state: State) -> tuple[NDArray[np.float32], ...]:
        """Return what every agent sees, (n, D_i)."""


class SimulatedWorld:
    """A simulator as a world.

    Parameters
    ----------
    simulator : Simulator
    gamma : float
        Discount in [0, 1].
    steps : int
        Environment steps of a round, a lane.
    """

    def __init__(self, simulator: Simulator, gamma: float, steps: int) -> None:
        self.simulator = simulator
        self.actions = simulator.actions
        self.spaces = simulator.spaces
        self.gamma = gamma
        self.steps = steps
        self.strata = min(simulator.length, steps)
        self.model = None

    def begin(self, seed: int, round_: int, lanes: int) -> "SimulatedPlay":
        """Return a round, at the beginning of its first episodes."""
        return SimulatedPlay(self.simulator, seed, round_, lanes)


class SimulatedPlay:
    """One round of a simulator."""

    def __init__(self, simulator: Simulator, seed: int, round_: int, lanes: int) -> None:
        self._simulator = simulator
        self._seed, self._round = seed, round_
        first, each = simulator.draws
        self._first_streams, self._streams = range(first), range(first, first + each)
        self._uniforms = PrefetchedUniforms(seed, Purpose.ENV_SEED, self._streams)
        self._whole = self._begin(0, 0, lanes)
        """First states of all lanes."""
        self._states: dict[int, State] = {}
        """States of the turns under way, by their first lane."""
        self._rewards: list[FloatArray] = []
        self._times: list[int] = []
        self._following: list[State | None] = []
        self.first = self._seen(self._whole)

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn; where an episode is over, the next one begins."""
        simulator, lanes = self._simulator, len(seen)
        state = self._states.pop(lane, None)
        if state is None:
            state = tuple(array[lane : lane + lanes] for array in self._whole)
        drawn = self._uniforms.take(self._round, time, lane, lanes) if self._streams else np.empty((0, lanes))
        state, rewards = simulator.step(state, actions, drawn)
        self._rewards.append(rewards)
        self._times.append(time % simulator.length)
        over = (time + 1) % simulator.length == 0
        self._following.append(state if over or alive < lanes else None)
        if not alive:
            return None
        if over:
            state = self._begin(time + 1, lane, alive)
        elif alive < lanes:
            state = tuple(array[:alive] for array in state)
        self._states[lane] = state
        return self._seen(state)

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn."""
        return self._rewards

    def strata(self) -> list[IntArray]:
        """Return the step of the episode, turn by turn."""
        return [np.full(len(rewards), time) for rewards, time in zip(self._rewards, self._times, strict=True)]

    def ends(self) -> list[NDArray[np.uint8]]:
        """Return what every step did to the episodes, turn by turn."""
        last, end = self._simulator.length - 1, self._simulator.end
        return [
            np.full(len(rewards), end if time == last else End.GOES_ON, dtype=np.uint8)
            for rewards, time in zip(self._rewards, self._times, strict=True)
        ]

    def following(self) -> list[Seen | None]:
        """Return what would have been seen after the last steps of episodes and of the round."""
        return [None if state is None else self._seen(state) for state in self._following]

    def prepare(self) -> None:
        """Draw the uniforms of the next steps, which depend on nothing that is awaited."""
        if self._streams:
            self._uniforms.draw()

    def _begin(self, time: int, lane: int, lanes: int) -> State:
        drawn = np.empty((len(self._first_streams), lanes))
        for row in self._first_streams:
            uniforms(self._seed, Purpose.ENV_SEED, row, self._round, time, lanes, lane, out=drawn[row])
        return self._simulator.begin(drawn)

    def _seen(self, state: State) -> Seen:
        of = self._simulator.see(state)
        for view in of:
            view.flags.writeable = False
        return Seen(of)
