"""The compiled core: the steady step in C, where it was compiled when the package was installed.

It works on the objects of the Python machines and does one thing: the next `StatesAnnounced` or
`ActionsChosen` in order of a running round. Whatever else comes it leaves as it is, and the machine does it,
which is the truth in any case: the same bits, the same counters, the same effects.
"""

import os
from collections.abc import Callable
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from bnpg_protocol.core.sources import HERE, built_from, digest

if TYPE_CHECKING:
    from bnpg_protocol.process.transport.interface import Arrival
    from bnpg_protocol.wire.effects import Stop

COMPILED, PYTHON = "compiled", "python"
"""What does the steps of a run, as `bnpg --version`, summaries and benchmarks call it."""
SWITCH = "BNPG_PURE"
"""Environment variable that, set to 1, leaves everything to Python."""

LOOK_AROUND = 0.02
"""Seconds a loop that is busy with messages goes on before it looks at anything else."""
BURST = 64
"""Messages taken from one ZeroMQ socket before the others have their turn."""

Core = Callable[["Arrival", float], bool]
"""Whether an arrival, at a time, was dealt with; if not, nothing has changed."""
Opened = Callable[[ModuleType, Callable[..., bool], Any, Any], Core]
"""Makes a core from what was compiled, for what sends, a history and a quarantine."""


class Exchange(Protocol):
    """Exchanges the messages of a step between sockets and a core, and leaves everything else alone."""

    @property
    def stop(self) -> "Stop | None":
        """How the process ends, once something that arrived said so."""

    @property
    def left(self) -> bool:
        """Whether the transport has something to do that is left to it."""

    def run(self, due: float) -> float:
        """Exchange messages until it is time to look around; return when that is."""


Exchanges = Callable[..., Exchange]
"""Makes an exchange of a core, a transport, what takes arrivals, what follows a turn, and a clock."""


def name() -> str:
    """Return what does the steps of runs that are started here: `COMPILED` or `PYTHON`. Loads nothing."""
    return COMPILED if os.environ.get(SWITCH) != "1" and _built() else PYTHON


def compiled() -> ModuleType | None:
    """Return what was compiled from these very sources; None if there is nothing, or it is switched off."""
    return _module() if name() == COMPILED else None


def _built() -> bool:
    """Whether it is there for this Python. In a checkout the sources may be newer than what was built."""
    return (HERE / f"_steady{EXTENSION_SUFFIXES[0]}").is_file() and digest() == built_from()


@cache
def _module() -> ModuleType | None:
    try:
        from bnpg_protocol.core import _steady
    except ImportError:
        return None
    return _steady
