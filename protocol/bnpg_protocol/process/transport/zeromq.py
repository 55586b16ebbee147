"""The ZeroMQ transport: messages between processes, on one host or on several.

A process has at most one ROUTER that others connect to (the coordinator's front, an agent's inbox) and one
DEALER for every route of its own (an agent's to the coordinator and to each child). Answers to an arrival go
back on the connection it came from.

Nothing rests on ZeroMQ delivering: a message to nobody, or over a full queue, is simply lost here and sent
again by the link. DEALERs are IMMEDIATE, so nothing stale waits for whoever binds later; what cannot go out
in the very moment of connecting is kept for a moment, bounded.

With a key, every socket is CURVE, see `bnpg_protocol.process.transport.curve`: who connects is judged by the
admission list, every arrival carries the key it was authenticated with, and a peer must own the key that was
expected. Failed handshakes are told.
"""

import ctypes
import os
import time
from collections import Counter, deque
from contextlib import suppress
from functools import cache, partial
from types import ModuleType
from typing import Any

import zmq

from bnpg_protocol.core import BURST, Exchanges
from bnpg_protocol.process.descriptors import patiently, require
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.security.credentials import Security
from bnpg_protocol.process.security.endpoints import leaves_machine
from bnpg_protocol.process.transport.curve import (
    HANDSHAKE_DONE,
    HANDSHAKE_REFUSED,
    REMIND_EVERY,
    Doorkeeper,
    Trouble,
    authenticated,
    events,
)
from bnpg_protocol.process.transport.door import Door, queue
from bnpg_protocol.process.transport.interface import CALLED_IN, Arrival, Notice
from bnpg_protocol.process.transport.socket_place import check_place
from bnpg_protocol.wire.codec import MAX_TENSOR, ZERO_COPY, Frame
from bnpg_protocol.wire.errors import InsecureSetup

# As plain numbers: joining flags costs more than sending with them.
_NOBLOCK = int(zmq.NOBLOCK)
_NOBLOCK_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_RCVMORE = int(zmq.RCVMORE)
_EVENTS = int(zmq.EVENTS)
_POLLIN = int(zmq.POLLIN)

FUNCTIONS = (
    *("zmq_msg_init", "zmq_msg_recv", "zmq_msg_data", "zmq_msg_size", "zmq_msg_more", "zmq_msg_close"),
    *("zmq_send", "zmq_errno"),
)
"""Of the library, which the compiled core calls."""
LEAST = 14
"""Descriptors that must be free at the start: with fewer, libzmq aborts the process or never lets it end."""
HIGH_WATER = 4096
"""Messages a socket queues before it is full."""
STASH = 256
"""Messages a route keeps while its connection is being made."""
FLUSH_EVERY = 0.002
"""Seconds between attempts to send what is stashed."""
LINGER = 1000
"""Milliseconds a closing socket goes on sending."""
HEARTBEAT = 2000
"""Milliseconds between heartbeats of a connection that leaves the machine."""
HEARTBEAT_TIMEOUT = 6000
"""Milliseconds without an answer after which it is made anew: the peer may be somewhere else by now."""
CONNECT_TIMEOUT = 2000
"""Milliseconds until a connection that nobody answers is tried anew: its name may mean another one now."""
HANDSHAKE = 30000
"""Milliseconds a handshake may take: the other side may be busy with a long evaluation."""
HANDSHAKE_OF_OTHERS = 5000
"""The same at the bound socket, where strangers may connect and say nothing; a peer tries again."""
BUSY = 4.0
"""Seconds after which a handshake that failed does not count: the peer was busy, nobody refused anything."""
KNOCK_AGAIN = 0.02
"""Seconds until a route is opened again whose key was refused; doubled each time. The other side may just be
about to hear of us."""
KNOCK_AT_MOST = 1.0
LOOK_AT_MONITORS = 0.1
"""Seconds between two looks at the monitors of connections that are made already."""
TELL_AFTER = 0.5
"""Seconds handshakes may fail before it is told: two processes may hear of each other in either order."""
NOTICES = 64
"""Notices kept until somebody reads them."""


class ZeroMQTransport:
    """Sockets of one process, used by one thread.

    Parameters
    ----------
    identity : str
        Name of this process on the connections it makes; to each route a nonce of its own is added, so that
        nobody else can guess it, not even who is at the end of another route.
    bind : str, optional
        Endpoint to listen on, `ipc://..` or `tcp://HOST:PORT`; port 0 or `*` picks a free one.
    security : Security, optional
        Keys; without them nothing but this machine is listened to or connected to.
    largest : int
        Bytes a frame that comes in at the bound endpoint may have; larger ones end their connection.

    Raises
    ------
    InsecureSetup
        If the endpoint cannot be bound, is somebody's, or leaves the machine and there is no key.
    """

    def __init__(
        self,
        identity: str,
        bind: str | None = None,
        security: Security | None = None,
        largest: int = MAX_TENSOR,
    ) -> None:
        self._identity = identity
        self._nonces: dict[str, str] = {}
        self._security = security
        require(LEAST)
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._front: zmq.Socket[bytes] | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._dealers: dict[str, zmq.Socket[bytes]] = {}
        self._route_of: dict[Any, str] = {}
        self._target: dict[str, tuple[str, str]] = {}
        self._stash: dict[str, deque[list[Frame]]] = {}
        self._monitors: dict[str, zmq.Socket[bytes]] = {}
        self._knock_at: dict[str, float] = {}
        self._looked_at = 0.0
        self._notices: deque[Notice] = deque(maxlen=NOTICES)
        self.trouble: dict[str, Trouble] = {}
        """Routes whose handshakes fail."""
        self._door: Door | None = None
        self.endpoint = ""
        """Where others reach this process; read back after binding."""
        self.lost = 0
        """Messages that went nowhere."""
        self.sent_bytes = 0
        self.received_bytes = 0
        if security is not None:
            self._doorkeeper = Doorkeeper(self._context, security, self._tell)
            self._poller.register(self._doorkeeper.zap, zmq.POLLIN)
        if bind is not None:
            self._bind(bind, largest)

    @property
    def admission(self) -> Admission | None:
        """Who may connect and speak as whom; None where there is no security."""
        return None if self._security is None else self._security.admission

    @property
    def refused(self) -> Counter[str]:
        """Connections that were not let in, by reason."""
        return Counter() if self._doorkeeper is None else self._doorkeeper.refused

    def watch(self, fd: int) -> None:
        """Let `receive` return when a file descriptor becomes readable."""
        self._poller.register(fd, zmq.POLLIN)

    def connect(self, route: str, endpoint: str, key: str = "") -> None:
        """Open a route to an endpoint whose owner has this public key; an older one of that name is closed.

        An endpoint is what some peer claims about itself: a bad one is told and leads nowhere, no more.
        """
        self._drop(route)
        self._target[route] = (endpoint, key)
        if leaves_machine(endpoint) and not (self._doorkeeper is not None and key):
            self._not_connected(route, endpoint, "it leaves the machine, but has no key")
            return
        try:
            dealer = self._socket(zmq.DEALER, endpoint)
        except OSError as error:
            self._not_connected(route, endpoint, str(error.strerror))
            self._knock_at[route] = time.monotonic() + KNOCK_AT_MOST
            return
        # Whoever connects under it takes what is for it: each end learns its own, the same in all its lives.
        nonce = self._nonces.setdefault(route, os.urandom(12).hex())
        dealer.set(zmq.IDENTITY, f"{self._identity}#{nonce}".encode())
        dealer.set(zmq.IMMEDIATE, 1)
        dealer.set(zmq.RECONNECT_IVL, 20)
        dealer.set(zmq.RECONNECT_IVL_MAX, 500)
        dealer.set(zmq.MAXMSGSIZE, MAX_TENSOR)
        if self._doorkeeper is not None and key:
            monitor = self._monitors[route] = self._doorkeeper.present(dealer, key)
            self._poller.register(monitor, zmq.POLLIN)
        try:
            dealer.connect(endpoint)
        except zmq.ZMQError as error:
            self._shut(route, dealer)
            self._not_connected(route, endpoint, str(error.strerror))
            return
        self._dealers[route] = dealer
        self._route_of[dealer] = route

    def send(self, route: str, frames: list[Frame], more: bool = False) -> bool:  # noqa: ARG002
        """Send, or return False if the route leads nowhere or is full just now.

        ZeroMQ writes what is waiting together by itself.
        """
        dealer = self._dealers.get(route)
        if dealer is None:
            return self._answer(route, frames)
        stash = self._stash.get(route)
        if stash is None and self._push(dealer, frames):
            return True
        if stash is None:
            stash = self._stash[route] = deque()
        if len(stash) >= STASH:
            self.lost += 1
            return False
        stash.append(frames)
        return True

    def receive(self, timeout: float) -> list[Arrival]:
        """Wait up to `timeout` seconds for something to come in."""
        self.attend()
        if self._stash:
            self._flush()
            timeout = min(timeout, FLUSH_EVERY) if self._stash else timeout
        arrivals: list[Arrival] = []
        if self._knock_at:
            timeout = min(timeout, max(0.0, min(self._knock_at.values()) - time.monotonic()))
        for socket, _ in self._poller.poll(max(0, int(timeout * 1000 + 0.999))):
            if isinstance(socket, int):
                continue
            route = None if socket is self._front else self._route_of.get(socket)
            if route is None and socket is not self._front:
                self._beside_the_data(socket)
                continue
            with suppress(zmq.Again):
                for _ in range(BURST):
                    arrivals.append(self._take(socket, route))
                    if not socket.get(_EVENTS) & _POLLIN:
                        break
        if self._doorkeeper is not None:
            self._look_at_monitors(self._doorkeeper)
        if self._knock_at:
            self._knock(time.monotonic())
        return arrivals

    def counters(self) -> dict[str, Any]:
        """Return what went over the sockets so far, and who was not let in."""
        return {
            "bytes_sent": self.sent_bytes,
            "bytes_received": self.received_bytes,
            "lost": self.lost,
            "turned_away": dict(self.refused),
            "times_full": 0 if self._door is None else self._door.shut_times,
        }

    def exchange(self, compiled: ModuleType) -> Exchanges | None:
        """Return what of the compiled core carries the messages of a step here; None where there are keys."""
        functions = _functions() if self._security is None else {}
        return partial(compiled.ZeroMQExchange, functions) if functions else None

    def attend(self) -> None:
        """Do what is due beside messages: open or shut the door."""
        if self._door is not None:
            self._door.look(time.monotonic())

    def hopeless(self, route: str) -> str:
        """Return why there is no point in going on with a route; the empty text if there is."""
        trouble = self.trouble.get(route)
        return trouble.reason if trouble is not None and trouble.hopeless() else ""

    def notices(self) -> list[Notice]:
        """Return what happened to connections since the last call."""
        notices = list(self._notices)
        self._notices.clear()
        return notices

    def close(self) -> None:
        """Send what is still waiting, for a moment, and close."""
        self._flush()
        for monitor in self._monitors.values():
            monitor.close(linger=0)
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        for socket in [*self._dealers.values(), *([self._front] if self._front is not None else [])]:
            socket.close(linger=LINGER)
        self._context.term()
        if self._door is not None:
            self._door.close()

    def _bind(self, bind: str, largest: int) -> None:
        if leaves_machine(bind) and self._security is None:
            raise InsecureSetup(f"{bind} can be reached from other machines, which needs a key")
        check_place(bind)
        front = self._front = self._socket(zmq.ROUTER, bind)
        front.set(zmq.ROUTER_MANDATORY, 1)
        front.set(zmq.ROUTER_HANDOVER, 1)
        front.set(zmq.MAXMSGSIZE, largest)
        front.set(zmq.HANDSHAKE_IVL, HANDSHAKE_OF_OTHERS)
        front.set(zmq.BACKLOG, queue())
        try:
            if self._doorkeeper is not None:
                self._doorkeeper.guard(front)
            front.bind(bind[:-1] + "*" if bind.endswith(":0") else bind)
        except zmq.ZMQError as error:
            front.close(linger=0)
            raise InsecureSetup(f"cannot listen on {bind}: {error.strerror}") from None
        self.endpoint = front.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
        self._door = Door(self.endpoint, self._tell)

    def _socket(self, kind: int, endpoint: str) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[bytes] = patiently(lambda: _new_socket(self._context, kind))
        socket.set(zmq.SNDHWM, HIGH_WATER)
        socket.set(zmq.RCVHWM, HIGH_WATER)
        socket.set(zmq.LINGER, LINGER)
        socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE)
        if endpoint.startswith("tcp://"):
            socket.set(zmq.CONNECT_TIMEOUT, CONNECT_TIMEOUT)
            socket.set(zmq.IPV6, int(endpoint.startswith("tcp://[")))
        if leaves_machine(endpoint):
            socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT)
            socket.set(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT)
        self._poller.register(socket, zmq.POLLIN)
        return socket

    def _take(self, socket: Any, route: str | None) -> Arrival:
        """Take one message off a socket, with the key its connection was authenticated with."""
        key = ""
        if self._security is None:
            if route is None:
                route = socket.recv(_NOBLOCK).decode("latin-1") + CALLED_IN
            frames: list[Frame] = [socket.recv(_NOBLOCK)]
            while socket.get(_RCVMORE):
                frames.append(socket.recv(_NOBLOCK))
        else:
            parts = socket.recv_multipart(_NOBLOCK, copy=False)
            frames = [part.buffer for part in parts]
            if route is None:
                key = authenticated(parts[-1])
                route = bytes(frames.pop(0)).decode("latin-1") + CALLED_IN
        self.received_bytes += sum(map(len, frames))
        return Arrival(route, frames, key)

    def _drop(self, route: str) -> None:
        dealer = self._dealers.pop(route, None)
        self._stash.pop(route, None)
        self._knock_at.pop(route, None)
        if dealer is not None:
            del self._route_of[dealer]
            self._shut(route, dealer)

    def _shut(self, route: str, dealer: "zmq.Socket[bytes]") -> None:
        monitor = self._monitors.pop(route, None)
        if monitor is not None:
            self._leave_alone(monitor)
            dealer.disable_monitor()
        self._poller.unregister(dealer)
        dealer.close(linger=0)

    def _leave_alone(self, monitor: "zmq.Socket[bytes]") -> None:
        if monitor in self._poller:
            self._poller.unregister(monitor)

    def _answer(self, route: str, frames: list[Frame]) -> bool:
        if self._front is not None and route.endswith(CALLED_IN):
            name = route.removesuffix(CALLED_IN).encode("latin-1")
            if self._push(self._front, [name, *frames]):
                return True
        self.lost += 1
        return False

    def _push(self, socket: "zmq.Socket[bytes]", frames: list[Frame]) -> bool:
        try:
            for frame in frames[:-1]:
                socket.send(frame, _NOBLOCK_MORE, copy=len(frame) < ZERO_COPY)
            socket.send(frames[-1], _NOBLOCK, copy=len(frames[-1]) < ZERO_COPY)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        self.sent_bytes += sum(map(len, frames))
        return True

    def _flush(self) -> None:
        for route in list(self._stash):
            stash, dealer = self._stash[route], self._dealers[route]
            while stash and self._push(dealer, stash[0]):
                stash.popleft()
            if not stash:
                del self._stash[route]

    # Security

    def _beside_the_data(self, socket: "zmq.Socket[bytes]") -> None:
        """Attend to a socket that carries no envelopes: ZAP, or the monitor of a route being made."""
        if self._doorkeeper is not None and socket is self._doorkeeper.zap:
            self._doorkeeper.judge()
        else:
            self._looked_at = 0.0

    def _look_at_monitors(self, doorkeeper: Doorkeeper) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_AT_MONITORS:
            return
        self._looked_at = now
        doorkeeper.look()
        for route, monitor in self._monitors.items():
            for event in events(monitor):
                self._handshake(route, event, now)

    def _knock(self, now: float) -> None:
        """Open those routes again whose time has come."""
        for route, at in list(self._knock_at.items()):
            if now >= at:
                self.connect(route, *self._target[route])

    def _handshake(self, route: str, event: int, now: float) -> None:
        """Take note of how a handshake of a route of ours ended."""
        if event == HANDSHAKE_DONE:
            # From here on the monitor only has to be looked at now and then.
            self._leave_alone(self._monitors[route])
            trouble = self.trouble.pop(route, None)
            if trouble is not None and trouble.told_at:
                self._tell("info", "connected at last", {"route": route, "failures": trouble.failures})
            return
        reason = "the handshake fails: the peer has another key than expected, or refuses ours for now"
        if event == HANDSHAKE_REFUSED:
            reason = "the peer does not allow our key"
        trouble = self.trouble.setdefault(route, Trouble(now, now, reason))
        if event == HANDSHAKE_REFUSED:
            # ZeroMQ gives up for good after this answer; a roster may still change.
            wait = min(KNOCK_AGAIN * 2.0 ** min(trouble.failures, 10), KNOCK_AT_MOST)
            self._knock_at.setdefault(route, now + wait)
        if event != HANDSHAKE_REFUSED and now - trouble.at > BUSY:
            trouble.since, trouble.failures = now, 0
        trouble.at = now
        trouble.failures += 1
        trouble.reason = reason
        if now - trouble.since >= TELL_AFTER and now - trouble.told_at >= REMIND_EVERY:
            trouble.told_at = now
            fields = {
                "route": route,
                "endpoint": self._target[route][0],
                "why": reason,
                "failures": trouble.failures,
            }
            self._tell("warning", "not let in", fields)

    def _not_connected(self, route: str, endpoint: str, why: str) -> None:
        self._tell("error", "not connected", {"route": route, "endpoint": ascii(endpoint[:200]), "why": why})

    def _tell(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self._notices.append(Notice(level, event, fields))


def _new_socket(context: "zmq.Context[zmq.Socket[bytes]]", kind: int) -> "zmq.Socket[bytes]":
    """Open a socket.

    Raises
    ------
    OSError
        If there is no descriptor for it.
    """
    try:
        return context.socket(kind)
    except zmq.ZMQError as error:
        raise OSError(error.errno, error.strerror) from None


@cache
def _functions() -> dict[str, int]:
    """Return where the functions of the library are that pyzmq has loaded; nothing if it cannot be found."""
    try:
        from zmq.backend.cython import _zmq

        library = ctypes.CDLL(_zmq.__file__)
        found = {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in FUNCTIONS}
    except (ImportError, OSError, AttributeError):
        return {}
    return {name: address for name, address in found.items() if address is not None}
