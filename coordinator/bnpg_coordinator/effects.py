"""What the coordinator asks its shell to do, beside what every process asks."""

from typing import Any, ClassVar

import numpy as np
from bnpg_protocol.wire.effects import Effect
from numpy.typing import NDArray

from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.line import Line


class Record(Effect, frozen=True):
    """Append a line to the run record, durable by the next `SyncRecord`, before any later effect."""

    moment: ClassVar[str | None] = "recorded"

    line: Line

    @property
    def of_round(self) -> int:
        """The round of the line."""
        return self.line.round


class SyncRecord(Effect, frozen=True):
    """Make the run record durable: who was sent something because of its last line is at work meanwhile."""


class KeepCritic(Effect, frozen=True):
    """Make the critic of a round durable before any later effect is carried out; keep the one before too."""

    midst: ClassVar[str | None] = "storing"
    moment: ClassVar[str | None] = "stored"

    round: int
    state: CriticState

    @property
    def of_round(self) -> int:
        """The round that led to it."""
        return self.round - 1


class Rewind(Effect, frozen=True):
    """Drop the lines of `round` and later from the run record: these rounds are played again."""

    midst: ClassVar[str | None] = "rewinding"

    round: int


class KeepSealed(Effect, frozen=True):
    """Make a sealed checkpoint of an agent durable before any later effect is carried out."""

    agent: int
    round: int
    sealed: bytes


class DropSealed(Effect, frozen=True):
    """Keep a sealed checkpoint no longer: the run goes on before the round it is of."""

    agent: int
    round: int


class Gathered(Effect, frozen=True):
    """The agents handed over their thetas, in agent order, because the person asked for the policy."""

    midst: ClassVar[str | None] = "gathering"

    thetas: tuple[NDArray[np.float64], ...]


class Bind(Effect, frozen=True):
    """Remember which public key owns which agent id, before any later effect is carried out."""

    owners: dict[str, int]


class Conclude(Effect, frozen=True):
    """The run has ended; `state` is `done` or `interrupted` or `failed`."""

    midst: ClassVar[str | None] = "concluding"
    moment: ClassVar[str | None] = "concluded"

    state: str
    why: str
    rounds: int
    metrics: dict[str, Any]
    digests: tuple[str, ...] = ()
    """Of the last theta of every agent, as they reported it, in agent order; empty if that is not known."""

    @property
    def of_round(self) -> int:
        """The round in which it ended."""
        return self.rounds
