"""Running what others wrote: what it prints and raises stays out of the way of what is ours."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from bnpg_protocol.process.surroundings import OURS as OUR_PROCESS


class Hung(BaseException):
    """An environment takes too long. No exception of its own, so that it is not caught by the environment.

    Its text says where.
    """


OURS = (KeyboardInterrupt, Hung)
"""What is raised in the midst of others' code and is not theirs: Ctrl-C, and the alarm of a watch.

All else that comes out of it is what it raised, whatever it is: `asyncio.CancelledError` and what pytest
skips a test by are no `Exception` either. So others' code is called as::

    except OURS:
        raise
    except BaseException as error:
"""


class Unusable(ValueError):
    """What others' code gave cannot be used; the text says what was expected and what came."""


def described(error: BaseException) -> str:
    """Return kind and text of an error in one line, whatever its text does."""
    try:
        text = str(error)
    except OURS:
        raise
    except BaseException:  # it is somebody else's, too
        text = ""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


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


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Let what is printed go to stderr, as stdout is what somebody asked us for, and `os._exit` be raised.

    A program that has called `bnpg.train` is not ours, and keeps its `os._exit`.
    """
    before = _within.process
    if OUR_PROCESS.is_set():
        os._exit = _exit
        _within.process = os.getpid()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _within.process = before
