"""The file of a socket, which is left behind when the socket is closed."""

import os
import stat
from contextlib import suppress

ASIDE = "~"
"""What is added to the name of a file that is moved aside."""


class SocketFile:
    """The file that was made by binding an endpoint.

    Parameters
    ----------
    endpoint : str
        What was bound; only `ipc://PATH` and `unix://PATH` have a file.
    """

    def __init__(self, endpoint: str) -> None:
        scheme, _, path = endpoint.partition("://")
        self._path = path if scheme in ("ipc", "unix") else ""
        self._made = self._identity()

    def remove(self) -> None:
        """Remove the file, unless somebody else has bound the same path meanwhile: then it is theirs."""
        if self._made is None:
            return
        with suppress(OSError):
            os.unlink(self._path + ASIDE)
        if self._identity() == self._made:
            with suppress(OSError):
                os.unlink(self._path)

    def hide(self) -> None:
        """Move the file aside, so that nobody finds it; who is connected stays connected."""
        if self._made is not None and self._identity() == self._made:
            with suppress(OSError):
                os.rename(self._path, self._path + ASIDE)

    def show(self) -> None:
        """Move the file back, unless somebody else has bound the path meanwhile."""
        if self._made is not None and self._identity() is None:
            with suppress(OSError):
                os.rename(self._path + ASIDE, self._path)
                self._made = self._identity()

    def _identity(self) -> tuple[int, int, int] | None:
        if not self._path:
            return None
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return None  # an abstract name, or removed by whoever owned the folder
        # The time too: a file made anew may get the number of the one that was removed.
        return (status.st_dev, status.st_ino, status.st_ctime_ns) if stat.S_ISSOCK(status.st_mode) else None
