"""What an engine is to a run: a place where processes are started, and nothing else.

Which process is started again, and what its exit code means, is the same everywhere and is decided by
`bnpg.launchers.supervisor`. How processes find each other is decided by `bnpg.launchers.wiring`. Messages
never pass through an engine.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

LOST = -1000
"""Instead of an exit code: the host is gone, and nobody knows how the process ended."""


class Order(Struct, frozen=True, kw_only=True):
    """A process to start."""

    name: str
    """`coordinator`, `agent-3`."""
    package: str
    """What is run: `bnpg_agents` or `bnpg_coordinator`."""
    arguments: tuple[str, ...]


class Handle(Protocol):
    """A process that was started."""

    @property
    def where(self) -> str:
        """The host it is on; the empty text for this one."""

    def poll(self) -> int | None:
        """Return its exit code, or None as long as it runs; never waits.

        A signal that ended it counts as negative; `LOST` if its host is gone.
        """

    def end(self) -> None:
        """Ask it to end in order, as SIGTERM does."""

    def abandon(self) -> None:
        """Let it know that its launcher is gone: it ends at its next turn."""

    def kill(self) -> None:
        """End it, whatever it is doing."""

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended, at most so long; return what `poll` does."""


class Place(Protocol):
    """Hosts of an engine, for one run: a context manager, whose end leaves no process behind."""

    keeps_state: bool
    """Whether the folders of the processes outlive the hosts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def start(self, orders: Sequence[Order]) -> list[Handle]:
        """Start processes, all at once where that is possible; return them in their order.

        A process that was here before is started on another host if there is one.
        """

    def public_keys(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the public keys of processes by name, made on the hosts where they will be started.

        The private half stays there.
        """

    def look(self) -> None:
        """Take in news of the hosts without waiting for any."""
