"""Following one life of a process event by event: what it does is exactly what the protocol has it do.

Everything a process does is the answer to something it received (or, for the coordinator, to somebody who
joins). So after each receive a small model of the process says which events must follow, in this order; only
then comes the next receive. Messages of one peer that a filled gap delivered together are answered together.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bnpg.trace.reading import Life, TraceEvent, Violation


@dataclass(frozen=True)
class Duty:
    """One event that must come next: its kind, and what some of its fields must be."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)

    def met_by(self, event: TraceEvent) -> bool:
        """Whether an event is the one."""
        return event.kind == self.kind and all(
            event.fields.get(key) == value for key, value in self.fields.items()
        )

    def __str__(self) -> str:
        parts = [("kind", ""), ("r", "of round "), ("s", "step "), ("peer", "to ")]
        said = [f"{word}{self.fields[key]}" for key, word in parts if self.fields.get(key) is not None]
        return " ".join([self.kind, *said])


def send(peer: str, kind: str, round_: int | None = None, step: int | None = None, **more: Any) -> Duty:
    """Return the duty to send a message."""
    return Duty("send", {"peer": peer, "kind": kind, "r": round_, "s": step} | more)


class Conduct:
    """Model of one life of a process. Subclasses say how it answers."""

    answers_to_the_end = False
    """Whether the process goes on answering when it has said that it cannot go on."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.duties: deque[Duty] = deque()
        self._inbox: list[TraceEvent] = []
        self.upcoming: TraceEvent | None = None
        """What the process does next, when it has answered what it received."""
        self.broken = False
        """Whether the process has said that it cannot go on; nothing is owed from then on."""

    @property
    def me(self) -> str:
        """Name of the process."""
        return self._life.process

    def check(self) -> None:
        """Follow the life to its end.

        Raises
        ------
        Violation
        """
        for event in self._life.events[1:]:
            self._take(event)
        self.upcoming = None
        self._answer()
        if self.duties and self._life.closed and not self.broken:
            raise Violation(f"{self.me} ends, and still owes {self.duties[0]}", self._life.events[-1])

    def react(self, event: TraceEvent) -> Iterable[Duty]:
        """Return what must follow a receive."""
        raise NotImplementedError

    def unbidden(self, event: TraceEvent) -> None:
        """Take in an event that answers nothing.

        Raises
        ------
        Violation
            If it must not come by itself.
        """
        raise NotImplementedError

    def settle(self) -> Iterable[Duty]:
        """Return what must follow now that everything received is taken in, and nothing more is owed.

        For what several messages that were answered together lead to only together: which of them led to it
        cannot be known.
        """
        return ()

    def met(self, event: TraceEvent) -> None:
        """Note that a duty was met by an event."""

    def explain(self, event: TraceEvent) -> str | None:  # noqa: ARG002
        """Say what is wrong with an event that has no place here; None leaves it at what is owed."""
        return None

    def gives_up(self, event: TraceEvent) -> bool:
        """Whether this event says that the process cannot go on."""
        raise NotImplementedError

    def _take(self, event: TraceEvent) -> None:
        if event.kind == "receive":
            if self._inbox and self._inbox[-1]["peer"] != event["peer"]:
                self.upcoming = event
                self._answer()
                if not self.duties and not self.broken:
                    self.duties.extend(self.settle())
            if self.duties:
                self._unmet(event)
            self._inbox.append(event)
            return
        self.upcoming = event
        self._answer()
        if not self.duties and not self.broken:
            self.duties.extend(self.settle())
        if self.gives_up(event):
            self.broken = True
            self.duties.clear()
        if event.kind in ("bare", "unsend"):
            return
        if not self.duties:
            if event.kind != "end":
                self.unbidden(event)
            return
        if event.kind == "end" or not self.duties[0].met_by(event):
            self._unmet(event)
        self.duties.popleft()
        self.met(event)

    def _answer(self) -> None:
        inbox, self._inbox = self._inbox, []
        for event in inbox:
            if not self.broken or self.answers_to_the_end:
                self.duties.extend(self.react(event))

    def _unmet(self, event: TraceEvent) -> None:
        before = self._life.events[event.number - 1]
        why = self.explain(event) or f"owes {self.duties[0]}, but something else comes first"
        raise Violation(f"{self.me} {why}", before, event)

    def wrong(self, event: TraceEvent, why: str) -> Violation:
        """Return a violation that names the process."""
        return Violation(f"{self.me} {why}", event)
