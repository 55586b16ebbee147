"""A polite request to end, kept to: whoever is in the midst of something long ends all the same.

A process ends in order between two things it does. One of them may take very long, such as a hundred passes
through a round of a large network, and nothing interrupts it: then the process ends by itself, as by a kill,
of which a run loses nothing.
"""

import threading
from contextlib import suppress

from bnpg_protocol.process.surroundings import OURS, leave
from bnpg_protocol.wire.exit_codes import ExitCode

GRACE = 20.0
"""Seconds a process has to come to what it was asked for."""


class AskedToEnd:
    """Sees to it that a request to end is answered, in a process of this project's own.

    A program that has called `bnpg.train` is not ours to end, and nothing is done for it.
    """

    def __init__(self) -> None:
        self.pending = False
        """Whether somebody has asked and was not answered."""
        self._timer: threading.Timer | None = None

    def asked(self) -> None:
        """Note that somebody asks for the end; may be called by the handler of a signal."""
        self.pending = True
        if self._timer is not None or not OURS.is_set():
            return
        self._timer = threading.Timer(GRACE, _leave)
        self._timer.daemon = True
        with suppress(RuntimeError, MemoryError):  # no thread is to be had: then it ends when it can
            self._timer.start()

    def answered(self) -> None:
        """Note that the process has come to it: from here on it ends in order."""
        self.pending = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _leave() -> None:
    leave(f"interrupted in the midst of something that took {GRACE:g} s more", ExitCode.INTERRUPTED)
