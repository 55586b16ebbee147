"""Running what others wrote: what it prints, and how it may end, stays out of the way of what is ours."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
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


class _Folders:
    """The working folders that environments went to, and whose code runs now."""

    def __init__(self) -> None:
        self.environment = ""
        self.of: dict[str, str] = {}


_within = _Within()
_folders = _Folders()
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
    """Let others' code be in the folder it went to, and us in ours: what we write may be named from there."""
    ours, environment = _working_folder(), _folders.environment
    if there := _folders.of.pop(environment, ""):
        _go(there)
    try:
        yield
    finally:
        theirs = _working_folder()
        if theirs != ours:
            _folders.of[environment] = theirs
            _go(ours)


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _go(folder: str) -> None:
    with suppress(OSError):
        os.chdir(folder)


def runs_now(environment: str) -> None:
    """Say whose code it is that is contained from now on."""
    _folders.environment = environment


@contextmanager
def contained() -> Iterator[None]:
    """Let others' code change nothing of what is ours.

    What it prints goes to stderr, as stdout is what somebody asked us for. In a process of ours its working
    folder is its own, and `os._exit` is raised. A program that has called `bnpg.train` is not ours: both are
    its own business.
    """
    ours = OURS.is_set()
    if ours:
        take_exits()
    _hear()
    before, _within.process = _within.process, os.getpid()
    try:
        with redirect_stdout(sys.stderr), _in_its_folder() if ours else nullcontext():
            yield
    finally:
        _within.process = before
    _hear()
