"""Running what others wrote: what it prints, and how it may end, stays out of the way of what is ours."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import NoReturn

from bnpg_protocol.process.surroundings import OURS
from bnpg_protocol.process.the_end import end_at_once


class _Within(threading.local):
    """The process in which this thread is in others' code; 0 where it is not."""

    process = 0


class _Taken:
    """The process in which `os._exit` is ours, and the first call of it by a thread of others."""

    process = 0
    call = ""


_within = _Within()
_taken = _Taken()


def take_exits() -> None:
    """Let `os._exit` be raised in this process, one of ours, which others' code would end without a word.

    A child that it forks ends as it likes. What is ours ends with `end_at_once`.
    """
    _taken.process = os.getpid()
    os._exit = _exit


def _exit(status: int) -> NoReturn:
    here, call = os.getpid(), f"os._exit({status!r:.20})"
    if _taken.process != here:
        end_at_once(status)
    if _within.process != here:  # it ends its own thread, and those who use the environment hear of it
        call = f"{call} in a thread of its own, here or earlier"
        _taken.call = _taken.call or call
    raise SystemExit(call)


def _hear() -> None:
    """Raise what a thread of others' code has called since this was asked last."""
    call, _taken.call = _taken.call, ""
    if call and _taken.process == os.getpid():
        raise SystemExit(call)


@contextmanager
def contained() -> Iterator[None]:
    """Let what is printed go to stderr, as stdout is what somebody asked us for, and `os._exit` be raised.

    A program that has called `bnpg.train` is not ours, and keeps its `os._exit`.
    """
    if OURS.is_set():
        take_exits()
    _hear()
    before, _within.process = _within.process, os.getpid()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _within.process = before
    _hear()
