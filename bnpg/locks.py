"""Locks of this project on files and folders; the operating system lets go of one when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def lock_alone(file: "int | IO[Any]") -> bool:
    """Lock a file or a folder, and return whether nobody else has it.

    On a file system without locks nobody has: it is better to run than to refuse.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextmanager
def opened_folder(folder: Path) -> Iterator[int]:
    """Open a folder, to lock it.

    Yields
    ------
    int
        Its descriptor.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
