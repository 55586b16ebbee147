"""The last resort against an environment that hangs and cannot be interrupted: its process ends.

An environment may catch whatever is raised in it, and a library may never return to Python, where an alarm
would go off. Then nothing in the thread it runs in can help, Ctrl-C and a polite kill included. So another
thread looks now and then. It counts by how long the process was awake: stopped and woken, nothing has hung.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from bnpg_protocol.process.awake import Awake
from bnpg_protocol.process.surroundings import OURS, leave
from bnpg_protocol.wire.exit_codes import ExitCode

OVERDUE = 1.5
"""How many limits may go by. An alarm goes off after the first; before the second, those who wait for the
process give up by themselves and know less."""
LOOK_EVERY = 0.25
"""Seconds between two looks."""


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
    looking.at = _Watched(limit, where)
    try:
        yield
    finally:
        looking.at = before


class _Watched:
    """What is watched, since when of the time awake; that is not known before it is looked at."""

    def __init__(self, limit: float, where: Callable[[], str]) -> None:
        self.limit, self.where = limit, where
        self._since: float | None = None

    def overdue(self, now: float) -> bool:
        """Whether it takes far longer than its limit."""
        if self._since is None:
            self._since = now
        return now - self._since >= OVERDUE * self.limit


class _Looking:
    """A thread that ends the process once what is watched is overdue."""

    def __init__(self) -> None:
        self.at: _Watched | None = None
        threading.Thread(target=self._look, name="last-resort", daemon=True).start()

    def _look(self) -> None:
        awake = Awake()
        while True:
            now, watched = awake(), self.at
            if watched is not None and watched.overdue(now):
                why = "the environment hangs and nothing interrupts it"
                waited = f"no answer for {OVERDUE * watched.limit:g} s"
                leave(f"{watched.where()}: {why}, {waited}", ExitCode.DEADLINE)
            time.sleep(LOOK_EVERY)


@cache
def _looking() -> _Looking:
    return _Looking()
