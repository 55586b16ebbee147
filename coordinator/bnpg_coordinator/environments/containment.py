"""Running what others wrote: what it prints, and how it may end, stays out of the way of what is ours."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import NoReturn

from bnpg_protocol.process.surroundings import OURS


class _Within(threading.local):
    """The process in which this thread is in others' code; 0 where it is not."""

    process = 0


_within = _Within()
_end_at_once = os._exit


def _exit(status: int) -> NoReturn:
    """End the process, or raise in its place where others' code would end ours without a word.

    A child that it has forked ends as it likes, and so do our own threads.
    """
    if _within.process == os.getpid():
        raise SystemExit(f"os._exit({status!r:.20})")
    _end_at_once(status)


@contextmanager
def contained() -> Iterator[None]:
    """Let what is printed go to stderr, as stdout is what somebody asked us for, and `os._exit` be raised.

    A program that has called `bnpg.train` is not ours, and keeps its `os._exit`.
    """
    before = _within.process
    if OURS.is_set():
        os._exit = _exit
        _within.process = os.getpid()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _within.process = before
