"""File descriptors: how many there may be, how many there are, and how to open files when none are left.

A process that listens gives one to everybody who connects, before anything is known of them. So strangers who
only connect could use up all of them, and then no checkpoint could be written any more. The transport
therefore stops listening when fewer than `RESERVE` are left; and whoever opens a file when there are none all
the same (a long evaluation may keep the transport from looking) lets it stop at once, and tries again.
"""

import errno
import os
import resource
import time
from collections.abc import Callable
from typing import TypeVar

RESERVE = 32
"""Descriptors that are kept for files: checkpoints, the record, the trace, the libraries it takes to end."""
WAIT = 2.0
"""Seconds that opening a file waits for a descriptor, once nobody else takes them any more."""
_AGAIN = 0.01

Opened = TypeVar("Opened")
_when_short: list[Callable[[], None]] = []


def limit() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def raise_limit() -> None:
    """Allow this process as many descriptors as it may allow itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return  # some systems have a lower ceiling than they say


def in_use() -> int:
    """Return how many descriptors this process has."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # looking takes one
    except OSError as error:
        return limit() if error.errno in (errno.EMFILE, errno.ENFILE) else 0


def require(count: int) -> None:
    """See to it that there can be this many descriptors more.

    Raises
    ------
    OSError
        EMFILE or ENFILE, if there cannot.
    """
    taken: list[int] = []
    try:
        while len(taken) < count:
            taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0)) from None
    finally:
        for descriptor in taken:
            os.close(descriptor)


def when_short(make_room: Callable[[], None]) -> None:
    """Have somebody called who can see to it that no more descriptors are taken."""
    _when_short.append(make_room)


def no_longer(make_room: Callable[[], None]) -> None:
    """Undo `when_short`."""
    if make_room in _when_short:
        _when_short.remove(make_room)


def patiently(opening: Callable[[], Opened]) -> Opened:
    """Open a file; if there is no descriptor for it, have room made and try again for a moment.

    Raises
    ------
    OSError
        What `opening` raises, at last.
    """
    deadline = 0.0
    while True:
        try:
            return opening()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not _when_short:
                raise
            now = time.monotonic()
            if not deadline:
                deadline = now + WAIT
                for make_room in _when_short:
                    make_room()
            elif now >= deadline:
                raise
        time.sleep(_AGAIN)
