"""What a transport does: carry frames, best effort. Order and completeness are the links' business."""

from types import ModuleType
from typing import Any, Protocol

from msgspec import Struct

from bnpg_protocol.core import Exchanges
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.wire.codec import Frame

CALLED_IN = "#"
"""What the routes of those who called in end with, and no route of our own: whatever a peer calls itself, it
never is at the end of one that this process opened."""


class Arrival(Struct, frozen=True, gc=False):
    """Frames that came in."""

    origin: str
    """The route on which the sender can be answered: one of our own, or the name of who called in and
    `CALLED_IN`."""
    frames: list[Frame]
    key: str = ""
    """The public key the connection was authenticated with; empty where there is no security."""


class Notice(Struct, frozen=True):
    """Something the transport saw happen to a connection, for the log."""

    level: str
    event: str
    fields: dict[str, Any]


class Transport(Protocol):
    """Sockets, or something like them."""

    endpoint: str
    """Where others reach this process; empty if nobody can."""

    @property
    def admission(self) -> Admission | None:
        """Who may connect and speak as whom; None where there is no security."""

    def watch(self, fd: int) -> None:
        """Let `receive` return when a file descriptor becomes readable."""

    def counters(self) -> dict[str, Any]:
        """Return what went over the sockets so far, and who was not let in."""

    def exchange(self, compiled: ModuleType) -> Exchanges | None:
        """Return what of the compiled core carries the messages of a step here; None if nothing does."""

    def hopeless(self, route: str) -> str:
        """Return why there is no point in going on with a route; the empty text if there is."""

    def notices(self) -> list[Notice]:
        """Return what happened to connections since the last call."""

    def connect(self, route: str, endpoint: str, key: str = "") -> None:
        """Open a route to an endpoint, whose owner has this public key; an older one is closed."""

    def send(self, route: str, frames: list[Frame], more: bool = False) -> bool:
        """Send, or return False if the route leads nowhere or is full just now.

        `more` says that another message to the same route follows at once: both may go out together.
        """

    def receive(self, timeout: float) -> list[Arrival]:
        """Wait up to `timeout` seconds for something to come in."""

    def close(self) -> None:
        """Send what is still waiting, for a moment, and close."""
