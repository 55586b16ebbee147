"""Giving up on an environment that hangs."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from bnpg_coordinator.environments.foreign import Hung
from bnpg_coordinator.environments.last_resort import last_resort

T = TypeVar("T")


AGAIN = 0.5
"""Seconds after which the alarm goes off once more: the environment may have caught the first one."""
TICKS = 4
"""In how many steps a limit goes by. The clock behind an alarm goes on while the process is stopped, but only
one step goes by then: the next begins when its end is noted."""


class Watch:
    """An alarm that goes off in whatever is running then, until somebody lets it through.

    It may go off where nobody can let it through: in a destructor, in a callback of the garbage collector or
    of a weak reference, Python prints what is raised and goes on. So it goes off again and again, what is
    printed of it is left out, and once it went off the watch ends with `Hung`, whatever became of that.

    Only the main thread of a process can be interrupted; elsewhere nothing is watched. And what catches all
    that is raised, or never returns to Python, is not interrupted at all: see `last_resort`.

    Parameters
    ----------
    limit : float
        Seconds.
    where : callable
        Says where the environment is.
    """

    def __init__(self, limit: float, where: Callable[[], str]) -> None:
        self._limit, self._where = limit, where
        self._over = False
        self._ticks = 0
        self._rang: str | None = None
        """Where the environment was when it went off for the first time."""

    def over(self, play: Callable[[], T]) -> T:
        """Return what something returns that must not take longer.

        Raises
        ------
        Hung
            If it did.
        """
        if threading.current_thread() is not threading.main_thread():
            return play()
        # Whoever calls us may have an alarm too, and gets it back as if there had been no other.
        alarm, repeated = signal.getitimer(signal.ITIMER_REAL)
        began = time.monotonic()
        unraisable, before = sys.unraisablehook, signal.signal(signal.SIGALRM, self._ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, self._limit / TICKS)
            with last_resort(self._limit, self._where):
                played = play()
        except KeyboardInterrupt:
            raise
        except BaseException:
            if self._rang is None:
                raise
        finally:
            self._over = True  # first of all: an alarm that is under way does nothing any more
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)
            if alarm:
                signal.setitimer(signal.ITIMER_REAL, max(alarm + began - time.monotonic(), 1e-6), repeated)
            if self._rang is not None:
                sys.unraisablehook = unraisable
        if self._rang is not None:
            raise Hung(self._rang)
        return played

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._over:
            return
        self._ticks += 1
        if self._ticks < TICKS:
            signal.setitimer(signal.ITIMER_REAL, self._limit / TICKS)
            return
        if self._rang is None:
            self._rang, shown = self._where(), sys.unraisablehook
            sys.unraisablehook = lambda one: None if one.exc_type is Hung else shown(one)
            signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        raise Hung(self._rang)
