"""Where the processes of a local run find each other: a short folder with their ipc endpoints.

Endpoints of ipc are paths of at most 107 bytes, so they cannot live in the run folder, wherever that is, nor
in a folder for temporary files with a long name, as batch systems give one. Its name follows from the run
folder itself, from its device and inode: a copy of the folder, or one restored from a backup, is another and
meets elsewhere, and who resumes a run of which everything was killed finds what is left and removes it.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2s
from pathlib import Path

from bnpg_protocol.process.fence import Fence
from bnpg_protocol.wire.errors import StorageFailed

from bnpg_files.names import is_sayable

LONGEST_ENDPOINT = 107
"""Bytes of the path of a Unix socket, on every system that has them."""
LONGEST_NAME = len("/agent-99999-12345678901234567.unix.4194304")
"""Bytes of the longest name in there: until it listens a socket has the number of its process too."""
_ELSEWHERE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 (the folder that is made there is nobody else's)


@contextmanager
def rendezvous(folder: Path, fence: Fence) -> Iterator[Path]:
    """Make the meeting place of the run in a folder, for as long as the context lasts.

    Parameters
    ----------
    folder : Path
    fence : Fence
        Of the folder: who has lost that has no meeting place any more.

    Raises
    ------
    StorageFailed
        If it cannot be made, if somebody else made it, so that others could listen in there, or if somebody
        else has taken the folder over.
    """
    place = _place(folder)
    fence.check(f"make {place}")
    try:
        _remove_own(place)
        place.mkdir(mode=0o700)
        own = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageFailed(f"cannot make {place}: {error.strerror}") from None
    try:
        yield place
    finally:
        # As long as ours is open no other folder has its inode.
        with suppress(OSError):
            if os.path.samestat(os.fstat(own), place.lstat()):
                shutil.rmtree(place, ignore_errors=True)
        os.close(own)


def forsake(folder: Path, fence: Fence) -> None:
    """Remove what a life of the run that was killed has left: what comes next may need no meeting place.

    Parameters
    ----------
    folder : Path
    fence : Fence
        Of the folder.
    """
    with suppress(OSError, StorageFailed):  # it is no part of the run
        place = _place(folder)
        fence.check(f"remove {place}")
        _remove_own(place)


def _place(folder: Path) -> Path:
    """Return where the processes of the run in a folder meet.

    Raises
    ------
    StorageFailed
        If there is no place for that.
    """
    status = folder.stat()
    name = f"bnpg-{blake2s(f'{status.st_dev} {status.st_ino}'.encode(), digest_size=8).hexdigest()}"
    return _short_folder(name) / name


def _short_folder(name: str) -> Path:
    """Return the folder for temporary files, or, where paths in that are too long or no text, another one.

    Raises
    ------
    StorageFailed
        If there is none.
    """
    asked = tempfile.gettempdir()
    for candidate in (asked, *_ELSEWHERE):
        longest = len(os.fsencode(candidate)) + 1 + len(name) + LONGEST_NAME
        fits = longest <= LONGEST_ENDPOINT and is_sayable(candidate)  # an address is text
        if fits and os.access(candidate, os.W_OK | os.X_OK):
            return Path(candidate)
    room = LONGEST_ENDPOINT - LONGEST_NAME - len(name) - 1
    raise StorageFailed(
        f"no place for the sockets of the processes: expected a folder that can be written, with a path "
        f"in UTF-8 of at most {room} bytes, got {asked} ({len(os.fsencode(asked))} bytes): set TMPDIR"
    )


def _remove_own(place: Path) -> None:
    """Remove what an earlier life of the run left there, if it is really ours."""
    try:
        status = place.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise StorageFailed(f"{place} exists and is not this user's folder; remove it")
    shutil.rmtree(place)
