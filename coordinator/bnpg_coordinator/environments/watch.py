"""Giving up on an environment that hangs."""

import signal
import threading
from types import FrameType


class Hung(BaseException):
    """An environment takes too long. No exception of its own, so that it is not caught by the environment."""


AGAIN = 0.5
"""Seconds after which the alarm goes off once more: the environment may have caught the first one."""


class Watch:
    """An alarm that goes off in whatever is running then, until somebody lets it through.

    Only the main thread of a process can be interrupted; elsewhere nothing is watched.

    Parameters
    ----------
    limit : float
        Seconds.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._active = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> None:
        if self._active:
            self._before = signal.signal(signal.SIGALRM, _ring)
            signal.setitimer(signal.ITIMER_REAL, self.limit, AGAIN)

    def __exit__(self, *_: object) -> None:
        if self._active:
            try:
                still()
            finally:  # it may have gone off a last time on the way here
                still()
                signal.signal(signal.SIGALRM, self._before)


def still() -> None:
    """Let the alarm go off no more."""
    signal.setitimer(signal.ITIMER_REAL, 0.0)


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise Hung
