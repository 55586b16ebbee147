"""Running what others wrote: what it prints, and how it may end, stays out of the way of what is ours."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import NoReturn

from bnpg_protocol.process.surroundings import OURS
from bnpg_protocol.process.the_end import end_at_once, end_if_known


class _Within(threading.local):
    """The process in which this thread is in others' code; 0 where it is not."""

    process = 0


class _Taken:
    """The process in which `os._exit` is ours, and the first call of it by a thread of others."""

    process = 0
    call = ""


class _Folder:
    """The working folder of others' code where it has changed it; empty where it has not."""

    changed = ""


_within = _Within()
_folder = _Folder()
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
    end_if_known()
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
def _in_its_folder() -> Iterator[None]:
    """Let others' code be in the folder it went to, and us in ours: what we write may be named from there.

    All threads are in one folder. Those of a program that trains in several would send each other about, so
    only in the main one it is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = _working_folder()
    if _folder.changed:
        _go(_folder.changed)
    try:
        yield
    finally:
        theirs = _working_folder()
        _folder.changed = "" if theirs == ours else theirs
        if theirs != ours:
            _go(ours)


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _go(folder: str) -> None:
    with suppress(OSError):
        os.chdir(folder)


@contextmanager
def contained() -> Iterator[None]:
    """Let others' code change nothing of what is ours.

    What it prints goes to stderr, as stdout is what somebody asked us for. Its working folder is its own.
    `os._exit` is raised; but a program that has called `bnpg.train` is not ours, and keeps its own.
    """
    if OURS.is_set():
        take_exits()
    _hear()
    before, _within.process = _within.process, os.getpid()
    try:
        with redirect_stdout(sys.stderr), _in_its_folder():
            yield
    finally:
        _within.process = before
    _hear()
