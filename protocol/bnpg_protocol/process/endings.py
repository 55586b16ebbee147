"""The signals that ask a process to end in order: Ctrl-C, a polite kill, a terminal that was closed."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class EndHandler:
    """The handler of a signal that asks for the end.

    Parameters
    ----------
    note : callable
        Called at every such signal.
    """

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Handle a signal."""
        self._note()


def endings() -> tuple[signal.Signals, ...]:
    """Return the signals that ask this process to end.

    The one of a terminal that was closed is among them unless it is ignored, as nohup has it, or tells this
    process something else, as a coordinator to read its roster again.
    """
    polite = (signal.SIGTERM, signal.SIGINT)
    closed = signal.getsignal(signal.SIGHUP)
    ends = closed == signal.SIG_DFL or isinstance(closed, EndHandler)
    return (*polite, signal.SIGHUP) if ends else polite


@contextmanager
def noting(note: Callable[[], None]) -> Iterator[None]:
    """For as long as the context lasts, call `note` at every signal that asks for the end.

    Only the main thread may handle signals: in another one, such as that of a server, they stay with whoever
    has them now. A handler that was not installed from Python (as programs that embed it have) cannot be put
    back afterwards; there the default takes its place.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = EndHandler(note)
    previous = {number: signal.signal(number, handler) for number in endings()}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
