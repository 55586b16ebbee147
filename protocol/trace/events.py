"""The events of a trace, as the machine of a process tells them. Messages are the `Passage`s of its links."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from protocol.messages import Message


class Event(Struct, frozen=True):
    """Base of all events."""


class Passage(Event, frozen=True):
    """One message first sent, or delivered in order, on a link."""

    direction: str
    """`send` or `receive`."""
    peer: int
    seq: int
    lamport: int
    message: Message


class Started(Event, frozen=True):
    """A process begins, with what it holds from earlier lives."""

    facts: dict[str, Any]


class Entered(Event, frozen=True):
    """A process enters an epoch, with its neighbours and their incarnations."""

    generation: int
    epoch: int
    neighbours: dict[int, int]


class Begun(Event, frozen=True):
    """The rounds go on with this one."""

    round: int


class Acted(Event, frozen=True):
    """An agent drew its actions."""

    round: int
    step: int
    message: Message
    """The `ActionsChosen` that says them."""


class Applied(Event, frozen=True):
    """An agent applied update (3): digests of theta before and after, and the signal it came from."""

    round: int
    before: str
    after: str
    signal: Message


class Kept(Event, frozen=True):
    """An agent had applied the update of a replayed round before, and did not apply it again."""

    round: int
    after: str


class Ended(Event, frozen=True):
    """A process ends by itself."""

    code: int
    why: str


Observer = Callable[[Event], None]
