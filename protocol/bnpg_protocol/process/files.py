"""Writing files so that a crash at any instant leaves either the old content or the new, never half of it."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from bnpg_files.reading import read_text
from bnpg_protocol.process.descriptors import patiently
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.wire.errors import StorageFailed

_DIGITS = 15
"""Of a count of lives: more than any run has, and a number that JSON and MessagePack keep."""


def write_atomically(path: Path, content: bytes, fsync: bool, fence: Fence | None = None) -> None:
    """Replace a file's content in one step.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    content : bytes
    fsync : bool
        Whether the content must survive a crash of the machine too, not only of the process.
    fence : Fence, optional
        Without which nothing may be written here.

    Raises
    ------
    StorageFailed
        If it cannot be written, for example because the disk is full or because the fence is torn down; the
        old content is untouched.
    """
    try:
        replace_file(path, content, fsync, fence)
    except OSError as error:
        raise StorageFailed(f"cannot write {path}: {error.strerror or error}") from None


def replace_file(path: Path, content: bytes, fsync: bool, fence: Fence | None = None) -> None:
    """Do as `write_atomically` does, and say why not as the machine does.

    Raises
    ------
    OSError
        If it cannot be written, for example because the fence is torn down; the old content is untouched.
    """
    # As strings, because this is on the way of every round, and a Path is slow.
    folder, file_name = os.path.split(path)
    draft = (
        os.path.join(folder, f".{file_name}.{os.getpid()}.tmp") if fence is None else fence.draft(file_name)
    )
    try:
        with patiently(lambda: open(draft, "wb")) as file:
            file.write(content)
            if fsync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, path)
        if fsync:
            sync_folder(folder)
    except BaseException:  # Ctrl-C leaves no draft either
        with suppress(OSError):
            os.unlink(draft)
        raise


def named_file(file: Path, followed: bool = True) -> Path:
    """Return where a file is to be written that somebody named, which is elsewhere if a link is followed.

    Parameters
    ----------
    file : Path
    followed : bool
        Whether a link is followed. One that others may have put into a folder of theirs is replaced instead.

    Raises
    ------
    OSError
        If something is there and no file: a device would become one, and nobody may read a pipe.
    """
    try:
        mode = file.stat(follow_symlinks=followed).st_mode  # by the system: /dev/stdout may lead to no path
    except (FileNotFoundError, NotADirectoryError):
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OSError(errno.EINVAL, "expected a regular file there or nothing, got something else")
    return Path(os.path.realpath(file)) if followed and file.is_symlink() else file


def next_count(path: Path, fsync: bool, fence: Fence | None = None, least: int = 1) -> int:
    """Count up the number in a file and return the new one; a missing file counts as 0.

    The new one is at least `least`.

    Raises
    ------
    StorageFailed
        If the file holds no number or cannot be written.
    """
    try:
        text = read_text(path, StorageFailed, most=_DIGITS + 1).strip()
    except FileNotFoundError:
        text = "0"
    if not (text.isdecimal() and text.isascii() and len(text) <= _DIGITS):
        raise StorageFailed(f"{path} must hold a number: expected digits, got {text!r:.40}")
    count = max(int(text) + 1, least)
    write_atomically(path, f"{count}\n".encode(), fsync, fence)
    return count


def make_folder(path: Path, fsync: bool, fence: Fence | None = None) -> None:
    """Make a folder, and those above it, unless they are there.

    Parameters
    ----------
    path : Path
    fsync : bool
        Whether its name must survive a crash of the machine too.
    fence : Fence, optional
        Without which no folder may be made here.

    Raises
    ------
    OSError
        If it cannot be made, for example because the fence is torn down.
    """
    new = [one for one in path.parents if not one.exists()]
    if fence is None:
        path.mkdir(parents=True, exist_ok=True)
    else:
        fence.make_folder(path)
    if fsync:
        for one in (path, *new):
            with suppress(PermissionError):  # where only names that are known may be asked for
                sync_folder(one.parent)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Make the names in a folder survive a crash of the machine.

    Raises
    ------
    OSError
    """
    descriptor = patiently(lambda: os.open(folder or os.curdir, os.O_RDONLY))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
