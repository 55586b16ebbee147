"""The ends of children can be asked for, whoever started this process."""

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager


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
