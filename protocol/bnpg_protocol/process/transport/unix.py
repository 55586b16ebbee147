"""The Unix transport: stream sockets between processes of one host.

It does what the ZeroMQ transport does, without a thread in between: a message wakes the process it is for,
and nobody else. A process has at most one socket that others connect to and a connection for every route of
its own; answers to an arrival go back on the connection it came from. Nothing rests on anything arriving:
what finds no connection is kept for a moment, bounded, and what finds a full queue is lost and sent again by
the link.

Who connects must be a process of the same user, or of root: the kernel says so (``SO_PEERCRED``). There are
no keys, since nothing leaves the machine.
"""

import errno
import os
import select
import socket
import struct
import time
from collections import Counter, deque
from contextlib import suppress
from types import ModuleType
from typing import Any

from bnpg_protocol.core import Exchanges
from bnpg_protocol.process import descriptors
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.transport.interface import CALLED_IN, Arrival, Notice
from bnpg_protocol.process.transport.socket_file import SocketFile
from bnpg_protocol.process.transport.socket_place import check_place
from bnpg_protocol.process.transport.stream import GREETING, READ, BrokenStream, NoMessages, StreamConnection
from bnpg_protocol.wire.codec import MAX_TENSOR, Frame
from bnpg_protocol.wire.errors import InsecureSetup

SCHEME = "unix://"
STASH = 256
"""Messages a route keeps while its connection is being made."""
AGAIN = 0.005
"""Seconds until a connection that was refused is tried again, longer each time."""
AGAIN_LONGER = 1.25
"""So whoever starts before the other listens comes at most a quarter of that time too late."""
AGAIN_AT_MOST = 0.25
BACKLOG = 512
"""Connections the kernel keeps until they are let in."""
STRANGERS = 64
"""Connections that have not said who they are; the oldest makes room for one more."""
GREET_WITHIN = 5.0
"""Seconds a connection may take to say who it is."""
BREATHE = 0.1
"""Seconds nobody is let in after the process ran out of file descriptors."""
LINGER = 1.0
"""Seconds a closing transport goes on sending."""
NOTICES = 64
"""Notices kept until somebody reads them."""
LONGEST_NAME = 256
"""Bytes a name may have."""

_IN, _OUT = select.EPOLLIN, select.EPOLLOUT
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class UnixTransport:
    """Stream sockets of one process, used by one thread.

    Parameters
    ----------
    identity : str
        Name of this process on the connections it makes; to each route a nonce of its own is added, so that
        nobody else can guess it, not even who is at the end of another route.
    bind : str, optional
        Endpoint to listen on, ``unix://PATH``; a socket file that a process has left is replaced.
    largest : int
        Bytes a frame that comes in at the bound endpoint may have; larger ones end their connection.

    Raises
    ------
    InsecureSetup
        If the endpoint cannot be bound, or is somebody's.
    """

    def __init__(self, identity: str, bind: str | None = None, largest: int = MAX_TENSOR) -> None:
        self._identity = identity
        self._nonces: dict[str, str] = {}
        self._epoll = select.epoll()
        self._buffer = memoryview(bytearray(READ))
        self._largest = largest
        self._listener: socket.socket | None = None
        self._resume_at = 0.0
        self._streams: dict[int, StreamConnection] = {}
        self._routes: dict[str, StreamConnection] = {}
        self._route_of: dict[int, str] = {}
        # Routes of our own, and of those who connected: by the name they are answered under.
        self._target: dict[str, str] = {}
        self._stash: dict[str, deque[list[Frame]]] = {}
        self._again: dict[str, tuple[float, float]] = {}
        # When a route that has no connection is tried next, and how long it waits after that.
        self._strangers: dict[int, float] = {}
        self._watched: set[int] = set()
        self._notices: deque[Notice] = deque(maxlen=NOTICES)
        self.refused: Counter[str] = Counter()
        """Connections that were not let in, by reason."""
        self.lost = 0
        """Messages that went nowhere."""
        self.sent_bytes = 0
        self.received_bytes = 0
        self._bound = SocketFile("")
        self.endpoint = ""
        """Where others reach this process."""
        if bind is not None:
            self._bind(bind)

    @property
    def admission(self) -> Admission | None:
        """None: nobody here has a key."""
        return None

    def watch(self, fd: int) -> None:
        """Let `receive` return when a file descriptor becomes readable."""
        self._epoll.register(fd, _IN)
        self._watched.add(fd)

    def connect(self, route: str, endpoint: str, key: str = "") -> None:  # noqa: ARG002
        """Open a route to an endpoint; an older one of that name is closed.

        An endpoint is what some peer claims about itself: a bad one is told and leads nowhere, no more.
        """
        self._forget(route)
        if not endpoint.startswith(SCHEME):
            self._not_connected(route, endpoint, "this run's processes speak over unix://PATH")
            return
        self._target[route] = endpoint
        self._stash[route] = deque()
        self._again[route] = (0.0, AGAIN)
        self._try(route, time.monotonic())

    def send(self, route: str, frames: list[Frame], more: bool = False) -> bool:
        """Send, or return False if the route leads nowhere or is full just now.

        With `more`, another message to the same route follows at once, and both are one write.
        """
        stream = self._routes.get(route)
        if stream is None:
            return self._keep(route, frames)
        try:
            waited = stream.waiting
            if not stream.send(frames, more):
                self.lost += 1
                return False
            if stream.waiting and not waited:
                self._epoll.modify(stream.socket.fileno(), _IN | _OUT)
        except BrokenStream as broken:
            self._broken(stream, broken)
            return self._keep(route, frames)
        self.sent_bytes += sum(map(len, frames))
        return True

    def receive(self, timeout: float) -> list[Arrival]:
        """Wait up to `timeout` seconds for something to come in."""
        if self._again or self._strangers or self._resume_at:
            timeout = self._due(timeout)
        arrivals: list[Arrival] = []
        for fd, events in self._epoll.poll(timeout):
            stream = self._streams.get(fd)
            if stream is None:
                if self._listener is not None and fd == self._listener.fileno():
                    self._let_in(self._listener)
                continue
            try:
                if events & _OUT:
                    stream.flush()
                    if not stream.waiting:
                        self._epoll.modify(fd, _IN)
                if events & ~_OUT:
                    self._take(fd, stream, arrivals)
            except BrokenStream as broken:
                self._broken(stream, broken)
        return arrivals

    def counters(self) -> dict[str, Any]:
        """Return what went over the sockets so far, and who was not let in."""
        return {
            "bytes_sent": self.sent_bytes,
            "bytes_received": self.received_bytes,
            "lost": self.lost,
            "turned_away": dict(self.refused),
        }

    def exchange(self, compiled: ModuleType) -> Exchanges | None:
        """Return what of the compiled core carries the messages of a step here."""
        made: Exchanges = compiled.UnixExchange
        return made

    def cut(self, stream: StreamConnection, route: str, data: bytes) -> list[Arrival]:
        """Cut what was read from a connection into messages; if that cannot be done, end it."""
        try:
            messages = stream.cut(data)
        except NoMessages as broken:
            messages = broken.before
            self._broken(stream, broken)
        return [self._arrival(route, frames) for frames in messages]

    def queue(self, stream: StreamConnection, rest: bytes) -> None:
        """Queue what the kernel has not taken of a message, on a connection where nothing is queued."""
        stream.queue([rest], len(rest))
        self._epoll.modify(stream.socket.fileno(), _IN | _OUT)

    def hopeless(self, route: str) -> str:  # noqa: ARG002
        """Return the empty text: whoever is refused here may be let in the next moment."""
        return ""

    def notices(self) -> list[Notice]:
        """Return what happened to connections since the last call."""
        notices = list(self._notices)
        self._notices.clear()
        return notices

    def close(self) -> None:
        """Send what is still waiting, for a moment, and close."""
        deadline = time.monotonic() + LINGER
        waiting = [stream for stream in self._streams.values() if stream.waiting]
        while waiting and time.monotonic() < deadline:
            select.select([], [stream.socket for stream in waiting], [], deadline - time.monotonic())
            for stream in waiting:
                try:
                    stream.flush()
                except BrokenStream:
                    stream.close()
            waiting = [stream for stream in waiting if stream.waiting]
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()
        self._routes.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._epoll.close()
        self._bound.remove()

    def _bind(self, endpoint: str) -> None:
        check_place(endpoint)
        path = endpoint.removeprefix(SCHEME)
        # Bound under another name first: whoever connects finds the old socket or the new one, never none.
        fresh = f"{path}.{os.getpid()}"
        check_place(f"{SCHEME}{fresh}")
        listener = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        try:
            with suppress(FileNotFoundError):
                os.unlink(fresh)  # of a process of the same number that was killed here
            listener.bind(fresh)
            os.chmod(fresh, 0o600)
            listener.listen(BACKLOG)
            os.replace(fresh, path)
        except OSError as error:
            listener.close()
            with suppress(OSError):
                os.unlink(fresh)
            raise InsecureSetup(f"cannot listen on {endpoint}: {error.strerror or error}") from None
        self._listener = listener
        self._epoll.register(listener.fileno(), _IN)
        self.endpoint = endpoint
        self._bound = SocketFile(endpoint)

    def _let_in(self, listener: socket.socket) -> None:
        """Accept whoever knocks; they have a moment to say who they are."""
        for _ in range(BACKLOG):
            try:
                accepted, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    # The one who knocks stays in the kernel's queue; until a file is closed nobody else is
                    # let in.
                    self._epoll.unregister(listener.fileno())
                    self._resume_at = time.monotonic() + BREATHE
                    self.refused["no file descriptor left"] += 1
                    self._tell("warning", "nobody is let in", {"why": str(error.strerror)})
                    return
                continue
            owner = _owner(accepted)
            if owner not in (os.geteuid(), 0):
                self.refused["another user"] += 1
                self._tell("warning", "not let in", {"why": f"a process of user {owner}"})
                accepted.close()
                continue
            accepted.setblocking(False)
            most = descriptors.limit()
            if accepted.fileno() >= most - min(descriptors.RESERVE, most // 4):
                # The kernel gives the lowest number that is free, so that few are left: those are for files.
                self.refused["no room"] += 1
                if self.refused["no room"] == 1:
                    self._tell("warning", "no room for more connections", {"at_most": most})
                accepted.close()
                if self._strangers:
                    self._turn_away(min(self._strangers, key=self._strangers.__getitem__), "no room")
                continue
            if len(self._strangers) >= STRANGERS:
                oldest = min(self._strangers, key=self._strangers.__getitem__)
                self._turn_away(oldest, "too many that say nothing")
            fd = self._add(StreamConnection(accepted, self._largest))
            self._strangers[fd] = time.monotonic() + GREET_WITHIN

    def _take(self, fd: int, stream: StreamConnection, arrivals: list[Arrival]) -> None:
        """Read from a connection: arrivals, or who it is."""
        try:
            messages = stream.receive(self._buffer)
        except NoMessages as broken:
            self._heard(fd, stream, broken.before, arrivals)
            raise
        self._heard(fd, stream, messages, arrivals)

    def _heard(
        self, fd: int, stream: StreamConnection, messages: list[list[Frame]], arrivals: list[Arrival]
    ) -> None:
        if fd in self._strangers:
            if not messages:
                return
            self._greeted(fd, stream, messages.pop(0))
        route = self._route_of.get(fd)
        if route is None:
            return
        arrivals += [self._arrival(route, frames) for frames in messages]

    def _arrival(self, route: str, frames: list[Frame]) -> Arrival:
        self.received_bytes += sum(map(len, frames))
        return Arrival(route, frames)

    def _greeted(self, fd: int, stream: StreamConnection, frames: list[Frame]) -> None:
        greeting = bytes(frames[0])
        if (
            len(frames) != 1
            or not greeting.startswith(GREETING)
            or not 0 < len(greeting) - len(GREETING) <= LONGEST_NAME
        ):
            self._turn_away(fd, "no greeting")
            return
        del self._strangers[fd]
        stream.name = name = greeting[len(GREETING) :].decode("latin-1") + CALLED_IN
        before = self._routes.get(name)
        if before is not None:
            self._drop(before)  # the same process, connected again
        self._routes[name] = stream
        self._route_of[fd] = name

    def _try(self, route: str, now: float) -> None:
        """Connect a route; if nobody is there yet, try again later."""
        sock = None
        try:
            sock = socket.socket(
                socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )
            sock.connect(self._target[route].removeprefix(SCHEME))
        except OSError as error:
            if sock is not None:
                sock.close()
            if error.errno in (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM) or error.errno is None:
                self._not_connected(route, self._target[route], str(error.strerror or error))
                self._forget(route)
                return
            _, wait = self._again[route]
            self._again[route] = (now + wait, min(AGAIN_LONGER * wait, AGAIN_AT_MOST))
            return
        del self._again[route]
        stream = StreamConnection(sock, MAX_TENSOR)
        self._route_of[self._add(stream)] = route
        self._routes[route] = stream
        kept: deque[list[Frame]] = self._stash.pop(route, deque())
        nonce = self._nonces.setdefault(route, os.urandom(12).hex())
        kept.appendleft([GREETING + f"{self._identity}#{nonce}".encode()])
        for frames in kept:
            if self._routes.get(route) is stream:
                self.send(route, frames)

    def _due(self, timeout: float) -> float:
        """Connect again, turn away, listen again: do what is due, and return how long to wait."""
        now = time.monotonic()
        for route in [route for route, (at, _) in self._again.items() if at <= now]:
            self._try(route, now)
        for fd in [fd for fd, until in self._strangers.items() if until <= now]:
            self._turn_away(fd, "said nothing")
        if self._resume_at and self._resume_at <= now and self._listener is not None:
            self._resume_at = 0.0
            self._epoll.register(self._listener.fileno(), _IN)
        moments = [*(at for at, _ in self._again.values()), *self._strangers.values()]
        if self._resume_at:
            moments.append(self._resume_at)
        return min(timeout, max(0.0, min(moments) - now)) if moments else timeout

    def _keep(self, route: str, frames: list[Frame]) -> bool:
        """Keep a message of a route whose connection is being made."""
        stash = self._stash.get(route)
        if stash is None or len(stash) >= STASH:
            self.lost += 1
            return False
        stash.append(frames)
        return True

    def _broken(self, stream: StreamConnection, broken: BrokenStream) -> None:
        """Let go of a connection; a route of our own is made anew."""
        fd = stream.socket.fileno()
        if fd not in self._streams:
            return
        if fd in self._strangers:
            self._turn_away(fd, "no greeting" if isinstance(broken, NoMessages) else "said nothing")
            return
        route = self._route_of.get(fd, "")
        if isinstance(broken, NoMessages):
            self.refused["no messages"] += 1
            self._tell(
                "warning", "connection ended", {"from": ascii(route.split("#")[0][:40]), "why": str(broken)}
            )
        self._drop(stream)
        if route is not None and route in self._target:
            self._stash[route] = deque()
            self._again[route] = (time.monotonic() + AGAIN, AGAIN_LONGER * AGAIN)

    def _add(self, stream: StreamConnection) -> int:
        fd = stream.socket.fileno()
        self._streams[fd] = stream
        self._epoll.register(fd, _IN)
        return fd

    def _drop(self, stream: StreamConnection) -> None:
        fd = stream.socket.fileno()
        self._strangers.pop(fd, None)
        if self._streams.pop(fd, None) is None:
            return
        self._epoll.unregister(fd)
        route = self._route_of.pop(fd, None)
        if route is not None and self._routes.get(route) is stream:
            del self._routes[route]
        stream.close()

    def _turn_away(self, fd: int, why: str) -> None:
        self.refused[why] += 1
        self._drop(self._streams[fd])

    def _forget(self, route: str) -> None:
        stream = self._routes.get(route)
        if stream is not None:
            self._drop(stream)
        self._target.pop(route, None)
        self._stash.pop(route, None)
        self._again.pop(route, None)

    def _not_connected(self, route: str, endpoint: str, why: str) -> None:
        self._tell("error", "not connected", {"route": route, "endpoint": ascii(endpoint[:200]), "why": why})

    def _tell(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self._notices.append(Notice(level, event, fields))


def _owner(connected: socket.socket) -> int:
    """Return the user of the process at the other end, as the kernel says."""
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])
