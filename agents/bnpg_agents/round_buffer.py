"""What an agent has heard and done in one round."""

import numpy as np
from bnpg_protocol.wire.addresses import COORDINATOR, name
from bnpg_protocol.wire.errors import Equivocation, OrderViolation
from bnpg_protocol.wire.weight import AHEAD_BYTES, OVERHEAD
from numpy.typing import NDArray

from bnpg_math.arrays import IntArray


class RoundBuffer:
    """States, the parents' actions and the agent's own, step by step.

    The barrier of the protocol is `ready`: the agent acts at a step only with the states *and* every
    parent's actions of that step.
    """

    def __init__(self, round_: int, parents: tuple[int, ...]) -> None:
        self.round = round_
        self.states: list[IntArray] = []
        self.places: list[tuple[int, int]] = []
        """(time, first lane) of every turn."""
        self.heard: dict[int, list[IntArray]] = {parent: [] for parent in parents}
        self.chosen: list[IntArray] = []

    @property
    def step(self) -> int:
        """The step that is to be acted in next."""
        return len(self.chosen)

    def missing(self) -> list[int]:
        """Return whom the next action waits for; empty means ready."""
        step = self.step
        waiting = [parent for parent, heard in self.heard.items() if len(heard) <= step]
        return waiting if len(self.states) > step else [COORDINATOR, *waiting]

    @property
    def ready(self) -> bool:
        """Whether the next action waits for nobody."""
        step = len(self.chosen)
        if len(self.states) <= step:
            return False
        for heard in self.heard.values():  # noqa: SIM110 - on the way of every message
            if len(heard) <= step:
                return False
        return True

    def hear_states(self, step: int, time: int, lane: int, states: IntArray) -> bool:
        """Take in the states of a turn; return False for a duplicate.

        Raises
        ------
        Equivocation
            If the coordinator said something else for this turn before.
        OrderViolation
            If it skips a turn.
        """
        fresh = self._hear("states", COORDINATOR, self.states, step, states)
        if fresh:
            self.places.append((time, lane))
        elif self.places[step] != (time, lane):
            raise Equivocation(
                f"{name(COORDINATOR)} says two different places for round {self.round}, step {step}"
            )
        return fresh

    def hear_actions(self, parent: int, step: int, actions: IntArray) -> bool:
        """Take in a parent's actions of a step; return False for a duplicate.

        Raises
        ------
        Equivocation
            If the parent said something else for this step before.
        OrderViolation
            If the parent skips a step, or is so far ahead that too many bytes would wait.
        """
        waiting = self.heard[parent][len(self.chosen) :]
        if waiting and sum(one.nbytes + OVERHEAD for one in waiting) > AHEAD_BYTES:
            raise OrderViolation(
                f"{name(parent)} is {len(waiting)} steps ahead at round {self.round}, step {step}: "
                f"more than {AHEAD_BYTES} bytes wait"
            )
        return self._hear("actions", parent, self.heard[parent], step, actions)

    def inputs(self) -> tuple[IntArray, list[IntArray]]:
        """Return the states and the parents' actions, ascending by parent, of the next step.

        Raises
        ------
        OrderViolation
            If a parent's actions are not as many as the states.
        """
        step = len(self.chosen)
        states = self.states[step]
        parents = []
        for parent, heard in self.heard.items():
            actions = heard[step]
            parents.append(actions)
            if len(actions) != len(states):
                raise OrderViolation(
                    f"{name(parent)} chose {len(actions)} actions for {len(states)} lanes "
                    f"at round {self.round}, step {step}"
                )
        return states, parents

    def all_steps(self) -> tuple[IntArray, list[IntArray], IntArray]:
        """Return states, parents' actions and own actions of the whole round, laid end to end."""
        empty: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        joined = [np.concatenate(heard) if heard else empty for heard in self.heard.values()]
        return np.concatenate(self.states), joined, np.concatenate(self.chosen)

    def _hear(self, what: str, sender: int, known: list[IntArray], step: int, array: IntArray) -> bool:
        if step == len(known):
            known.append(array)
            return True
        where = f"round {self.round}, step {step}"
        if step > len(known):
            raise OrderViolation(f"{name(sender)} skips to {where}: {what} of step {len(known)} are awaited")
        if not np.array_equal(known[step], array):
            raise Equivocation(f"{name(sender)} says two different things for the {what} of {where}")
        return False
