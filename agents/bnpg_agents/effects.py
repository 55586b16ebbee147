"""What an agent asks its shell to do, beside what every process asks."""

from typing import ClassVar

from bnpg_protocol.wire.effects import Effect

from bnpg_agents.snapshot import Snapshot


class Store(Effect, frozen=True):
    """Make theta_round durable before any later effect is carried out; keep the one before it too."""

    midst: ClassVar[str | None] = "storing"
    moment: ClassVar[str | None] = "stored"

    round: int
    snapshot: Snapshot

    @property
    def of_round(self) -> int:
        """The round whose update led to this theta."""
        return self.round - 1


class Relive(Effect, frozen=True):
    """Count this life of the agent as a later one: others have known lives that its lost folder counted."""

    incarnation: int


class Adopt(Effect, frozen=True):
    """Remember which agent of which experiment this process is, before any later effect is carried out."""

    midst: ClassVar[str | None] = "adopting"

    agent: int
    experiment: str
