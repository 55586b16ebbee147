"""A fence around a folder: who has lost the folder to somebody else can change nothing in it any more.

A fence is a folder within the folder, in which every file is made before it is renamed to its place, and into
which a file is renamed before it is removed. Whoever takes the folder over raises its own and tears down the
others that are there. From that instant every change of the one before fails, because its fence, and with it
one side of every renaming, is gone. There is no moment between looking and writing: the renaming is both. So
it holds for a process that was stopped between any two instructions and is woken after hours.

A file that is kept open and appended to is not protected by that: its new owner replaces it by a copy of its
own, and the one before goes on with a file that has no name.
"""

import errno
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Self

from bnpg_protocol.wire.errors import StorageFailed

TAKEN_OVER = "somebody else has taken the folder over"
"""Why a process ends that finds its fence torn down."""
_PREFIX = ".fence-"


class Fence:
    """The fence of one owner of a folder.

    Parameters
    ----------
    path : Path
        The fence, which is there already; several processes may share it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner = os.getpid()

    @classmethod
    def raise_in(cls, folder: Path) -> Self:
        """Take a folder over: raise a fence and tear down whatever others it has.

        Of two who do that at once at most one has the folder then.

        Raises
        ------
        StorageFailed
            If the folder cannot be written, or if somebody else has taken it over meanwhile.
        """
        own = cls(folder / f"{_PREFIX}{secrets.token_hex(8)}")
        try:
            own.path.mkdir(mode=0o700)
            for other in fences(folder):
                if other != own.path:
                    _tear(other)
        except OSError as error:
            own.lower()
            raise StorageFailed(f"cannot write into {folder}: {error.strerror or error}") from None
        if own.torn:
            raise StorageFailed(f"cannot write into {folder}: {TAKEN_OVER}")
        return own

    def lower(self) -> None:
        """Give the folder back: nothing is written through this fence any more.

        A fork of the process that has it, which ends while that goes on, gives nothing back.
        """
        if os.getpid() == self._owner:
            shutil.rmtree(self.path, ignore_errors=True)

    @property
    def torn(self) -> bool:
        """Whether somebody else has taken the folder over."""
        return not os.path.exists(self.path)

    def check(self, doing: str) -> None:
        """Refuse to do what needs the folder and is done elsewhere.

        Parameters
        ----------
        doing : str
            What that is, such as `make the meeting place`.

        Raises
        ------
        StorageFailed
            If somebody else has taken the folder over.
        """
        if self.torn:
            raise StorageFailed(f"cannot {doing}: {TAKEN_OVER}")

    def draft(self, name: str) -> str:
        """Return where a file is made that is to be called `name`."""
        return os.path.join(self.path, f"{name}.{os.getpid()}.tmp")

    def make_folder(self, path: Path) -> None:
        """Make a folder, and those above it, unless they are there.

        Within the folder that is fenced they are made by way of the fence: nothing is made for who has lost
        it. (Made elsewhere and renamed, one would replace what another process has just made there and not
        filled yet.)

        Raises
        ------
        OSError
            If it cannot be made, for example because the folder was taken over.
        """
        if path.is_dir():
            return
        fenced = Path(self.path).parent
        if not path.is_relative_to(fenced):
            path.mkdir(parents=True, exist_ok=True)
            return
        way = Path(self.path, "..")
        for part in path.relative_to(fenced).parts:
            way /= part
            with suppress(FileExistsError):
                os.mkdir(way)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    def remove(self, path: Path) -> None:
        """Remove a file of the folder.

        Raises
        ------
        OSError
            If it is not there, or if the folder was taken over.
        """
        draft = self.draft(path.name)
        os.rename(path, draft)
        os.unlink(draft)

    def discard(self, path: Path) -> None:
        """Remove a file of the folder, if it is there.

        Raises
        ------
        StorageFailed
            If somebody else has taken the folder over.
        OSError
            If it cannot be removed.
        """
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        try:
            self.remove(path)
        except FileNotFoundError:  # either is gone
            self.check(f"remove {path}")


def _tear(fence: Path) -> None:
    """Take a fence out of the way of its owner, who may be making a file in it, and then remove it."""
    torn = fence.with_name(f"{fence.name}.torn")
    with suppress(FileNotFoundError):  # somebody else has torn it down
        fence.rename(torn)
    shutil.rmtree(torn, ignore_errors=True)


def fences(folder: Path) -> list[Path]:
    """Return the fences in a folder; after a run in order there are none."""
    with os.scandir(folder) as entries:
        found = [
            entry.name
            for entry in entries
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False)
        ]
    return [folder / name for name in sorted(found)]
