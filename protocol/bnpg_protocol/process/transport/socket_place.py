"""The place where a socket's file is to be: what stands there already is not taken from anybody.

To bind a path, ZeroMQ removes whatever has that name, and what is renamed to it replaces that. Only what a
process that is gone has left may go so: a socket at which nobody listens.
"""

import errno
import os
import socket
import stat

from bnpg_protocol.wire.errors import InsecureSetup


def check_place(endpoint: str) -> None:
    """Refuse to listen where that would take something from somebody.

    Parameters
    ----------
    endpoint : str
        Of `tcp://` nothing is checked: the kernel gives a port to one process only.

    Raises
    ------
    InsecureSetup
        If something is there that is no socket, or a socket at which somebody listens.
    """
    scheme, _, path = endpoint.partition("://")
    if scheme not in ("ipc", "unix"):
        return
    try:
        status = os.lstat(path)
    except OSError:
        return  # nothing is there, or nothing can be: then to bind it fails too
    if not stat.S_ISSOCK(status.st_mode):
        raise InsecureSetup(f"cannot listen on {endpoint}: {path} is there and is no socket")
    why = _answer(path)
    if why:
        raise InsecureSetup(f"cannot listen on {endpoint}: {why}")


def _answer(path: str) -> str:
    """Return why the socket at a path is not to be replaced; the empty text if nobody is there any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as caller:
        try:
            caller.connect(path)
        except OSError as error:
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                return ""
            if error.errno in (errno.EACCES, errno.EPERM):
                return f"the socket there is somebody else's: {error.strerror}"
    return "somebody listens there"
