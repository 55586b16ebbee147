"""The draft of a folder: made beside its place under a name of its own, and removed if its maker died.

Who makes one holds a shared lock on the folder it is made in, and one on the draft. Who gets the first alone
knows that nobody is making any there, so that the drafts of the same run, and all of this kernel, are what
killed processes have left.
"""

import fcntl
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2s
from pathlib import Path

from bnpg.locks import opened_folder
from bnpg.named_place import made, unwritable
from bnpg_files.reading import opened

_RANDOM = 4
"""Bytes that make the name of a draft its own, and as many that say where it was made."""
_SHOWN = 40
"""Letters of what it is a draft of."""
_DRAFT = re.compile(r"\.(?P<of>.*?)\.(?:(?P<kernel>[0-9a-f]{8})\.)?[0-9a-f]{8}\.tmp", re.DOTALL)
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
    with _held(target):
        temporary = target.parent / f".{target.name[:_SHOWN]}.{_kernel()}.{secrets.token_hex(_RANDOM)}.tmp"
        try:
            temporary.mkdir()
            with opened_folder(temporary) as folder:
                _lock(folder, fcntl.LOCK_EX)
                yield temporary
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextmanager
def _held(target: Path) -> Iterator[None]:
    """Hold the shared lock, after what nobody holds any more was removed."""
    with opened_folder(target.parent) as folder:
        if _lock(folder, fcntl.LOCK_EX):
            for left in _drafts(target):
                _remove(left)
        deadline = time.monotonic() + _WAIT
        while not _lock(folder, fcntl.LOCK_SH) and time.monotonic() < deadline:
            time.sleep(_AGAIN)
        yield


def _drafts(target: Path) -> list[Path]:
    """Return the drafts beside a folder that are of the same, or of processes of this kernel.

    Locks of other kernels are not always seen, so theirs may still be made.
    """
    with os.scandir(target.parent) as entries:
        found = [(entry.name, _DRAFT.fullmatch(entry.name)) for entry in entries]
    return [
        target.parent / name
        for name, draft in found
        if draft and (draft["of"] == target.name[:_SHOWN] or draft["kernel"] == _kernel())
    ]


def _remove(left: Path) -> None:
    """Remove a draft, unless somebody holds it: whoever came late to the lock of its folder makes one too."""
    with suppress(OSError), opened_folder(left) as folder:
        if _lock(folder, fcntl.LOCK_EX):
            shutil.rmtree(left, ignore_errors=True)


@cache
def _kernel() -> str:
    """Return what tells this running kernel from all others; all of its processes see each other's locks."""
    try:
        with opened("/proc/sys/kernel/random/boot_id") as file:
            which = file.read()
    except OSError:
        which = os.fsencode(platform.node())
    return blake2s(which, digest_size=_RANDOM).hexdigest()


def _lock(folder: int, kind: int) -> bool:
    with suppress(OSError):  # held by somebody, or a file system without locks
        fcntl.flock(folder, kind | fcntl.LOCK_NB)
        return True
    return False
