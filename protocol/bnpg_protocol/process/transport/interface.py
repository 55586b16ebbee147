"""What a transport does: carry frames, best effort. Order and completeness are the links' business."""

from typing import Any, Protocol

from msgspec import Struct

from bnpg_protocol.wire.codec import Frame


class Arrival(Struct, frozen=True, gc=False):
    """Frames that came in."""

    origin: str
    """The route on which the sender can be answered."""
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

    def connect(self, route: str, endpoint: str, key: str = "") -> None:
        """Open a route to an endpoint, whose owner has this public key; an older one is closed."""

    def send(self, route: str, frames: list[Frame]) -> bool:
        """Send, or return False if the route leads nowhere or is full just now."""

    def receive(self, timeout: float) -> list[Arrival]:
        """Wait up to `timeout` seconds for something to come in."""

    def close(self) -> None:
        """Send what is still waiting, for a moment, and close."""
