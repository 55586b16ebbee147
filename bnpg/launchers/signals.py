"""Signals while a run goes on: Ctrl-C and a polite kill are noted instead of raised, so that it ends in order
and can be resumed; and the ends of children can be asked for, whoever started this process.
"""

import ctypes
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


@contextmanager
def heeding_children() -> Iterator[None]:
    """Let children that end wait to be asked for their exit codes.

    Daemons and some shells ignore SIGCHLD, and their children inherit that: then the kernel forgets an exit
    code at once. Python sets signals in the main thread only; the C library in any.
    """
    ignored, default = signal.SIG_IGN, signal.SIG_DFL
    set_signal = ctypes.CDLL(None).signal
    set_signal.restype, set_signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    before = signal.getsignal(signal.SIGCHLD)
    if before != ignored:
        yield
        return
    set_signal(signal.SIGCHLD, int(default))
    try:
        yield
    finally:
        set_signal(signal.SIGCHLD, int(ignored))
