"""What every process of a run is, behind its shell."""

from collections.abc import Sequence
from typing import Protocol

from bnpg_protocol.wire.effects import Effect
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.links import Links


class Machine(Protocol):
    """A pure machine: envelopes and the passing of time in, effects out."""

    @property
    def links(self) -> Links:
        """The machine's links, with their counters."""

    def receive(self, envelope: Envelope, origin: str, now: float, key: str = "") -> list[Effect]:
        """Take in one envelope and return what is to be done because of it.

        `key` is the public key its connection was authenticated with; empty where there is no security.
        """

    def prepare(self) -> None:
        """Do ahead what depends on nothing that is awaited; nobody can tell, but by the time it takes."""

    def tick(self, now: float) -> list[Effect]:
        """Return what is to be done because time has passed."""

    def stood_still(self, seconds: float, now: float) -> None:
        """Take note that for so many seconds until now this process could hear nobody.

        It was stopped, or busy: nobody can be blamed for a silence in them.
        """

    def abandon(self, why: str, now: float) -> list[Effect]:
        """Return how the machine ends at once, because whoever started the process is gone."""

    def next_event(self) -> float | None:
        """Return when `tick` has something to do next, or None for never."""

    def validate(self) -> None:
        """Assert what must hold between any two events; a simulation asks after every one of them."""

    def failed(self, code: ExitCode, why: str, now: float, undone: Sequence[Effect] = ()) -> list[Effect]:
        """Take note that the shell could not carry out an effect, nor therefore those behind it."""
