"""What an agent has heard and done in one round."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bnpg_protocol.wire.addresses import COORDINATOR, name
from bnpg_protocol.wire.errors import Equivocation, OrderViolation
from bnpg_protocol.wire.weight import AHEAD_BYTES, OVERHEAD
from numpy.typing import NDArray

from bnpg_agents.limits import Limits
from bnpg_math.arrays import IntArray
from bnpg_math.policies.interface import Seen


class RoundBuffer:
    """What the agent sees, the parents' actions and its own, turn by turn.

    The barrier of the protocol is `ready`: the agent acts in a turn only with what it sees *and* every
    parent's actions of that turn.
    """

    def __init__(self, round_: int, parents: tuple[int, ...]) -> None:
        self.round = round_
        self.seen: list[Seen] = []
        self.limits: list[Limits | None] = []
        """What may be done in every turn; None where anything may."""
        self.places: list[tuple[int, int]] = []
        """(time, first lane) of every turn."""
        self.heard: dict[int, list[IntArray]] = {parent: [] for parent in parents}
        self.chosen: list[IntArray] = []

    @property
    def turn(self) -> int:
        """The turn that is to be acted in next."""
        return len(self.chosen)

    def missing(self) -> list[int]:
        """Return whom the next action waits for; empty means ready."""
        turn = self.turn
        waiting = [parent for parent, heard in self.heard.items() if len(heard) <= turn]
        return waiting if len(self.seen) > turn else [COORDINATOR, *waiting]

    @property
    def ready(self) -> bool:
        """Whether the next action waits for nobody."""
        turn = len(self.chosen)
        if len(self.seen) <= turn:
            return False
        for heard in self.heard.values():  # noqa: SIM110 - on the way of every message
            if len(heard) <= turn:
                return False
        return True

    def take_states(
        self, turn: int, place: tuple[int, int], seen: Seen, limits: Limits | None = None
    ) -> bool:
        """Take in what is seen in a turn, at (time, first lane); return False for a duplicate.

        Raises
        ------
        Equivocation
            If the coordinator said something else for this turn before.
        OrderViolation
            If it skips a turn.
        """
        fresh = self._hear("states", COORDINATOR, self.seen, turn, seen)
        if fresh:
            self.places.append(place)
            self.limits.append(limits)
        elif self.places[turn] != place:
            raise Equivocation(
                f"{name(COORDINATOR)} says two different places for round {self.round}, turn {turn}"
            )
        elif not _same(self.limits[turn], limits):
            raise Equivocation(
                f"{name(COORDINATOR)} says two different masks for round {self.round}, turn {turn}"
            )
        return fresh

    def take_actions(self, parent: int, turn: int, actions: IntArray) -> bool:
        """Take in a parent's actions of a turn; return False for a duplicate.

        Raises
        ------
        Equivocation
            If the parent said something else for this turn before.
        OrderViolation
            If the parent skips a turn, or is so far ahead that too many bytes would wait.
        """
        waiting = self.heard[parent][len(self.chosen) :]
        if waiting and sum(message.nbytes + OVERHEAD for message in waiting) > AHEAD_BYTES:
            raise OrderViolation(
                f"{name(parent)} is {len(waiting)} turns ahead at round {self.round}, turn {turn}: "
                f"more than {AHEAD_BYTES} bytes wait"
            )
        return self._hear("actions", parent, self.heard[parent], turn, actions)

    def take(
        self,
        turn: int,
        place: tuple[int, int],
        seen: Seen,
        parent_actions: Sequence[IntArray],
        limits: Limits | None,
    ) -> None:
        """Take in all that the next turn waits for; nothing of it, or of a later one, is there yet."""
        assert turn == len(self.seen) == len(self.chosen), "a turn is played before its time"
        self.seen.append(seen)
        self.places.append(place)
        self.limits.append(limits)
        for heard, actions in zip(self.heard.values(), parent_actions, strict=True):
            assert turn == len(heard), "a parent is ahead of a turn that is played at once"
            heard.append(actions)

    def inputs(self) -> tuple[Seen, list[IntArray]]:
        """Return what is seen and the parents' actions, ascending by parent, of the next turn.

        Raises
        ------
        OrderViolation
            If a parent's actions are not as many as the lanes.
        """
        turn = len(self.chosen)
        seen = self.seen[turn]
        parents = []
        for parent, heard in self.heard.items():
            actions = heard[turn]
            parents.append(actions)
            if len(actions) != len(seen):
                raise OrderViolation(
                    f"{name(parent)} chose {len(actions)} actions for {len(seen)} lanes "
                    f"at round {self.round}, turn {turn}"
                )
        return seen, parents

    def all_turns(self) -> tuple[Seen, list[IntArray], IntArray]:
        """Return what was seen, parents' actions and own actions of the whole round, laid end to end."""
        empty: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        joined = [np.concatenate(heard) if heard else empty for heard in self.heard.values()]
        return np.concatenate(self.seen), joined, np.concatenate(self.chosen)

    def _hear(
        self, what: str, sender: int, known: "list[NDArray[Any]]", turn: int, array: NDArray[Any]
    ) -> bool:
        if turn == len(known):
            known.append(array)
            return True
        where = f"round {self.round}, turn {turn}"
        if turn > len(known):
            raise OrderViolation(f"{name(sender)} skips to {where}: {what} of turn {len(known)} are awaited")
        if not np.array_equal(known[turn], array):
            raise Equivocation(f"{name(sender)} says two different things for the {what} of {where}")
        return False


def _same(first: Limits | None, other: Limits | None) -> bool:
    if first is None or other is None:
        return first is other
    return all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
