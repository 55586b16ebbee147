"""The signals that ask a process to end in order: Ctrl-C, a polite kill, a terminal that was closed."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

AGAIN = 1.0
"""Seconds for which the one who asks for the end again means the same end."""

Handlers = dict[signal.Signals, Any]
"""What handled each signal before."""


class EndHandler:
    """The handler of a signal that asks for the end.

    A child that others' code forks, such as a worker of an environment, inherits it, and ends as if there
    were none: nobody tidies up there.

    Parameters
    ----------
    note : callable
        Called at every such signal.
    """

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note
        self._process = os.getpid()

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Handle a signal."""
        if os.getpid() == self._process:
            self._note()
            return
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
        os.kill(os.getpid(), number)


def endings() -> tuple[signal.Signals, ...]:
    """Return the signals that ask this process to end.

    The one of a terminal that was closed is among them unless it is ignored, as nohup has it, or tells this
    process something else, as a coordinator to read its roster again.
    """
    polite = (signal.SIGTERM, signal.SIGINT)
    closed = signal.getsignal(signal.SIGHUP)
    ends = closed == signal.SIG_DFL or isinstance(closed, EndHandler)
    return (*polite, signal.SIGHUP) if ends else polite


class _Interruption:
    """Raises KeyboardInterrupt, and not again while what that one has interrupted is being tidied up.

    From then on nobody is told of what is left half done, such as an archive that is being written.
    """

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= AGAIN:
            self._last = now
            sys.unraisablehook = lambda _: None
            raise KeyboardInterrupt


def follows_interruption(error: BaseException) -> bool:
    """Whether an error was raised while a KeyboardInterrupt was on its way, as by what tidies up after it."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def interruptible() -> Handlers:
    """Make all that asks for an end what Ctrl-C is: one exit code, with everything tidied up.

    What is ignored or handled otherwise is left as it is, and so is every thread but the main one.

    Returns
    -------
    dict
        What handled the signals that are handled otherwise now.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    handler = EndHandler(_Interruption())
    found: Handlers = {number: signal.getsignal(number) for number in endings()}
    asking = [one for one in found if found[one] in (signal.SIG_DFL, signal.default_int_handler)]
    return {number: signal.signal(number, handler) for number in asking}


def end_in_silence() -> None:
    """Let Ctrl-C end a process that is still being loaded as a polite kill does, without a traceback."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def put_back(handlers: Handlers) -> None:
    """Let signals be handled as they were."""
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


def leaving() -> None:
    """Hear nothing any more that asks for an end: this is the end, and its exit code is known."""
    for number in endings():
        signal.signal(number, signal.SIG_IGN)


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
    previous: Handlers = {number: signal.signal(number, handler) for number in endings()}
    try:
        yield
    finally:
        put_back(previous)
