"""The events of a trace, as the machine of a process tells them. Messages are passages of its links."""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bnpg_protocol.wire.exit_codes import RunState
from bnpg_protocol.wire.messages import Message


class Event(Struct, frozen=True):
    """Base of all events."""


class Passage(Event, frozen=True):
    """One message first sent, delivered in order, or taken back before it left, on a link."""

    direction: str
    """`send`, `receive`, `unsend`, or `bare` for a message outside the order."""
    peer: int
    seq: int
    lamport: int
    """Lamport time of the sender when it sent the message."""
    message: Message
    clock: int = 0
    """Lamport time of this process after the event."""


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
    turn: int
    message: Message
    """What says them to the coordinator: `ActionsChosen`, or `ActionsAttested` where there is a relay."""
    rows: dict[int, NDArray[np.integer[Any]]] | None = None
    """With a relay: its own actions and those it acted on, by agent."""


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


class Joined(Event, frozen=True):
    """The coordinator takes in an agent, which holds theta of these rounds."""

    agent: int
    incarnation: int
    held: tuple[int, ...]


class Concluded(Event, frozen=True):
    """The coordinator ends the run; some agents may be gone without a farewell."""

    state: RunState
    rounds: int
    absent: tuple[int, ...]


class Ended(Event, frozen=True):
    """A process ends by itself."""

    code: int
    why: str


Observer = Callable[[Event], None]
