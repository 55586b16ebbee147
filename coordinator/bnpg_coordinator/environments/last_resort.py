"""The last resort against an environment that hangs and cannot be interrupted: its process ends.

An environment may catch whatever is raised in it, and a library may never return to Python, where an alarm
would go off. Then nothing in the thread it runs in can help, Ctrl-C and a polite kill included. So another
thread looks at the clock.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from bnpg_protocol.process.surroundings import OURS, leave
from bnpg_protocol.wire.exit_codes import ExitCode

OVERDUE = 1.5
"""How many limits may go by. An alarm goes off after the first; before the second, those who wait for the
process give up by themselves and know less."""
LOOK_EVERY = 0.25
"""Seconds between two looks at the clock."""


@contextmanager
def last_resort(limit: float, where: Callable[[], str]) -> Iterator[None]:
    """End this process, if it is one of this project's own, where what is done takes far longer than a limit.

    A program that has called `bnpg.train` is not ours to end, and nothing is done for it.

    Parameters
    ----------
    limit : float
        Seconds.
    where : callable
        Says where the environment is; called in another thread.
    """
    if not OURS.is_set():
        yield
        return
    looking = _looking()
    before = looking.at
    looking.at = (time.monotonic() + OVERDUE * limit, limit, where)
    try:
        yield
    finally:
        looking.at = before


class _Looking:
    """A thread that ends the process once what is watched is overdue."""

    def __init__(self) -> None:
        self.at: tuple[float, float, Callable[[], str]] = (math.inf, math.inf, str)
        """When what is watched now is overdue, what its limit was, and where it is."""
        threading.Thread(target=self._look, name="last-resort", daemon=True).start()

    def _look(self) -> None:
        while True:
            overdue, limit, where = self.at
            if time.monotonic() >= overdue:
                why = "the environment hangs and nothing interrupts it"
                leave(f"{where()}: {why}, no answer for {OVERDUE * limit:g} s", ExitCode.DEADLINE)
            time.sleep(LOOK_EVERY)


@cache
def _looking() -> _Looking:
    return _Looking()
