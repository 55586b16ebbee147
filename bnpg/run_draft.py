"""The draft of a folder: made beside its place under a name of its own, and removed if its maker died.

Who makes one holds a shared lock on the folder it is made in. Who gets that lock alone knows that nobody is
making any there, so that all drafts of the same run are what killed processes have left.
"""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bnpg.named_place import made, unwritable

_RANDOM = 4
"""Bytes that make the name of a draft its own."""
_WAIT, _AGAIN = 1.0, 0.01
"""Seconds that a lock is waited for at the most, and between two tries: who tidies up has it for a moment."""


@contextmanager
def draft(target: Path, text: str) -> Iterator[Path]:
    """Make a folder that is to become `target`, and those above it; what was made goes again if it does not.

    Parameters
    ----------
    target : Path
    text : str
        What is said if it cannot be made, or filled.

    Raises
    ------
    InputError
        If there can be none of that name, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    with made(target.parent, text):
        try:
            with _beside(target) as temporary:
                yield temporary
        except OSError as error:
            raise unwritable(text, error) from None


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Make a folder that is to become `target`; it is removed if it does not."""
    name = f".{target.name[:40]}."
    with _held(target.parent, name):
        temporary = target.parent / f"{name}{secrets.token_hex(_RANDOM)}.tmp"
        try:
            temporary.mkdir()
            yield temporary
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextmanager
def _held(parent: Path, name: str) -> Iterator[None]:
    """Hold the shared lock, after what nobody holds any more was removed."""
    folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _lock(folder, fcntl.LOCK_EX):
            for left in parent.glob(f"{_plain(name)}{'[0-9a-f]' * 2 * _RANDOM}.tmp"):
                shutil.rmtree(left, ignore_errors=True)
        deadline = time.monotonic() + _WAIT
        while not _lock(folder, fcntl.LOCK_SH) and time.monotonic() < deadline:
            time.sleep(_AGAIN)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, kind: int) -> bool:
    with suppress(OSError):  # held by somebody, or a file system without locks
        fcntl.flock(folder, kind | fcntl.LOCK_NB)
        return True
    return False


def _plain(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
