"""What a machine asks its shell to do. Machines decide, shells act."""

from typing import Any, ClassVar

from msgspec import Struct

from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.exit_codes import ExitCode


class Effect(Struct, frozen=True, gc=False):
    """Base of all effects."""

    midst: ClassVar[str | None] = None
    """The moment in the midst of it at which a fault plan can strike; None where there is none."""
    moment: ClassVar[str | None] = None
    """The moment just after it was carried out, likewise."""

    @property
    def of_round(self) -> int | None:
        """The round that these moments belong to."""
        return None


class Transmit(Effect, frozen=True):
    """Hand an envelope to the transport. Losing it is allowed: the link sends it again."""

    route: str
    """Where to: a route learned from a `Connect` or from the origin of an earlier arrival."""
    envelope: Envelope
    to: int
    """Address of the peer, as far as it is known: -2 for an agent without an id."""


class Connect(Effect, frozen=True):
    """Open a route to a peer's endpoint; an older connection under that name is dropped."""

    route: str
    endpoint: str
    key: str = ""
    """The public key the peer must own; empty where there is no security."""


class Admit(Effect, frozen=True):
    """Let exactly these keys connect to this process, each as its owner."""

    owners: dict[str, int]


class Log(Effect, frozen=True):
    """Tell whoever reads the log."""

    level: str
    event: str
    fields: dict[str, Any]


class Stop(Effect, frozen=True):
    """The process ends here."""

    midst: ClassVar[str | None] = "leaving"

    code: ExitCode
    why: str
    """One line."""
