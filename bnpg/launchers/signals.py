"""Ctrl-C and a polite kill, noted instead of raised, so that a run ends in order and can be resumed."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDINGS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def noting(note: Callable[[], None]) -> Iterator[None]:
    """Call `note` at every SIGINT and SIGTERM for as long as the context lasts.

    Only the main thread may handle signals: in another one, such as that of a server, they stay with whoever
    has them now. A handler that was not installed from Python (as programs that embed it have) cannot be put
    back afterwards; there the default takes its place.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        note()

    previous = {number: signal.signal(number, handle) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
