"""The door of a process: whether its bound socket takes more connections just now.

ZeroMQ gives a descriptor to everybody who connects, knows no upper bound, and when there are none left it
tries again and again. To unbind would end the connections that are there. So the door is shut beneath it: a
TCP listener gets a filter that drops every packet (on Linux; who connects tries again, as TCP does), the file
of an ipc listener is moved aside. Who is connected stays, and nobody new comes until there is room.

Of ipc this holds only while there are descriptors: ZeroMQ ends the process when it gets none for an ipc
connection. Only the same user can connect to one, who needs no flood to end a process.

A *ballast* of descriptors is thrown off when none are left. It is larger than the queue of a listener, from
which ZeroMQ may still take connections after the door is shut, so that files can be opened in any case.
"""

import ctypes
import os
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bnpg_protocol.process import descriptors
from bnpg_protocol.process.transport.socket_file import SocketFile

BALLAST = 64
"""Descriptors held back, to be thrown off; at most a quarter of what is free at first."""
MARGIN = 16
"""Descriptors left when the door is shut; at most an eighth of what is free at first."""
MOST = 4096
"""Descriptors in use at which the door is shut, however many are allowed: connections take memory too."""
LOOK_EVERY = 0.05
"""Seconds between two looks at how many are in use."""
_ATTACH_FILTER, _DETACH_FILTER = 26, 27
_NOTHING_PASSES = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A program of the classic packet filter with one instruction: return 0, that is, drop."""


class Door:
    """The door of one bound socket.

    Parameters
    ----------
    endpoint : str
        What is bound, with its port.
    tell
        Called with level, event and fields when the door is shut, and when it opens again.
    """

    def __init__(self, endpoint: str, tell: Callable[[str, str, dict[str, Any]], None]) -> None:
        self._tell = tell
        self._listener = _listener(endpoint)
        self._file = SocketFile(endpoint)
        self._program = ctypes.create_string_buffer(_NOTHING_PASSES)
        free = max(0, descriptors.limit() - descriptors.in_use())
        self._margin, self._weight = min(MARGIN, free // 8), 2 * queue()
        self._ballast: list[int] = []
        self._looked_at = 0.0
        self.shut_times = 0
        """How often it was shut."""
        self.open = True
        self._load()
        descriptors.when_short(self.make_room)

    def look(self, now: float) -> None:
        """Shut the door if there is no room for more, open it if there is."""
        if now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        room = min(descriptors.limit() - self._margin, MOST) - descriptors.in_use()
        if room <= 0:
            self.make_room()
        elif not self.open and room >= self._margin + (0 if self._ballast else self._weight):
            self._load()
            self._move(open_again=True)
            self._tell("info", "listening again", {"shut_so_far": self.shut_times})

    def make_room(self) -> None:
        """Let nobody new in; if no descriptors are left at all, throw off the ballast."""
        if self.open:
            self.shut_times += 1
            self._move(open_again=False)
            used, most = descriptors.in_use(), min(descriptors.limit(), MOST)
            self._tell("warning", "no room for more connections", {"descriptors": used, "at_most": most})
        if descriptors.in_use() >= descriptors.limit():
            for descriptor in self._ballast:
                os.close(descriptor)
            self._ballast = []

    def close(self) -> None:
        """Remove what belongs to the door."""
        descriptors.no_longer(self.make_room)
        for descriptor in self._ballast:
            os.close(descriptor)
        self._ballast = []
        if self._listener is not None:
            self._listener.close()
        self._file.remove()

    def _load(self) -> None:
        with suppress(OSError):
            while len(self._ballast) < self._weight:
                self._ballast.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _move(self, *, open_again: bool) -> None:
        self.open = open_again
        if self._listener is None:
            self._file.show() if open_again else self._file.hide()
            return
        with suppress(OSError):  # where there are no filters the door stays open, and `patiently` has to do
            if open_again:
                self._listener.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
            else:
                program = struct.pack("HxxxxxxP", 1, ctypes.addressof(self._program))
                self._listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


def queue() -> int:
    """Return how many connections may wait to be taken by a socket that is bound now: half the ballast."""
    free = max(0, descriptors.limit() - descriptors.in_use())
    return max(1, min(BALLAST, free // 4) // 2)


def _listener(endpoint: str) -> socket.socket | None:
    """Return another descriptor of the TCP listener that ZeroMQ has opened for an endpoint."""
    if not endpoint.startswith("tcp://"):
        return None
    port = int(endpoint.rpartition(":")[2])
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
            internet = found.family in (socket.AF_INET, socket.AF_INET6)
            if (
                internet
                and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                and found.getsockname()[1] == port
            ):
                return found
            found.close()
    return None
