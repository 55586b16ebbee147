"""The file of a socket, which is left behind when the socket is closed."""

import os
import stat
from contextlib import suppress

ASIDE = "~"
"""What is added to the name of a file that is moved aside; what is there and is no socket stays."""


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
        if _socket_at(self._path + ASIDE) is not None:
            with suppress(OSError):
                os.unlink(self._path + ASIDE)
        if self._identity() == self._made:
            with suppress(OSError):
                os.unlink(self._path)

    def hide(self) -> None:
        """Move the file aside, so that nobody finds it; who is connected stays connected."""
        aside = self._path + ASIDE
        free = not os.path.lexists(aside) or _socket_at(aside) is not None
        if self._made is not None and self._identity() == self._made and free:
            with suppress(OSError):
                os.rename(self._path, aside)

    def show(self) -> None:
        """Move the file back, unless somebody else has bound the path meanwhile."""
        aside = self._path + ASIDE
        if self._made is not None and self._identity() is None and _socket_at(aside) is not None:
            with suppress(OSError):
                os.rename(aside, self._path)
                self._made = self._identity()

    def _identity(self) -> tuple[int, int, int] | None:
        return _socket_at(self._path) if self._path else None


def _socket_at(path: str) -> tuple[int, int, int] | None:
    """Return what tells the socket at a path from others; None if there is none."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None  # removed by whoever owned the folder
    # The time too: a file made anew may get the number of the one that was removed.
    return (status.st_dev, status.st_ino, status.st_ctime_ns) if stat.S_ISSOCK(status.st_mode) else None
