"""The ZeroMQ transport; the only file that opens sockets.

A process has at most one ROUTER that others connect to (the coordinator's front, an agent's inbox) and one
DEALER for every route of its own (an agent's to the coordinator and to each child). Answers to an arrival go
back on the connection it came from.

Nothing rests on ZeroMQ delivering: a message to nobody, or over a full queue, is simply lost here and sent
again by the link. DEALERs are IMMEDIATE, so nothing stale waits for whoever binds later; what cannot go out
in the very moment of connecting is kept for a moment, bounded.
"""

import os
from collections import deque
from typing import Any

import zmq

from protocol.codec import MAX_TENSOR, ZERO_COPY, Frame
from protocol.transport.interface import Arrival

HIGH_WATER = 4096
"""Messages a socket queues before it is full."""
STASH = 256
"""Messages a route keeps while its connection is being made."""
FLUSH_EVERY = 0.002
"""Seconds between attempts to send what is stashed."""
BURST = 64
"""Messages taken from one socket before the others have their turn."""
LINGER = 1000
"""Milliseconds a closing socket goes on sending."""


class ZeroMQTransport:
    """Sockets of one process, used by one thread.

    Parameters
    ----------
    identity : str
        Name of this process on the connections it makes; a nonce is added, so that it is unique.
    bind : str, optional
        Endpoint to listen on, `ipc://..` or `tcp://HOST:PORT`; port 0 or `*` picks a free one.
    """

    def __init__(self, identity: str, bind: str | None = None) -> None:
        self._identity = f"{identity}#{os.urandom(6).hex()}".encode()
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._front: zmq.Socket[bytes] | None = None
        self._dealers: dict[str, zmq.Socket[bytes]] = {}
        self._route_of: dict[Any, str] = {}
        self._stash: dict[str, deque[list[Frame]]] = {}
        self.endpoint = ""
        """Where others reach this process; read back after binding."""
        self.lost = 0
        """Messages that went nowhere."""
        if bind is not None:
            self._front = self._socket(zmq.ROUTER)
            self._front.set(zmq.ROUTER_MANDATORY, 1)
            self._front.set(zmq.ROUTER_HANDOVER, 1)
            self._front.bind(bind.replace(":0", ":*") if bind.endswith(":0") else bind)
            last = self._front.get(zmq.LAST_ENDPOINT)
            assert isinstance(last, bytes)
            self.endpoint = last.rstrip(b"\0").decode()

    def watch(self, fd: int) -> None:
        """Let `receive` return when a file descriptor becomes readable."""
        self._poller.register(fd, zmq.POLLIN)

    def connect(self, route: str, endpoint: str) -> None:
        """Open a route to an endpoint; an older connection under that name is closed."""
        self._drop(route)
        dealer = self._socket(zmq.DEALER)
        dealer.set(zmq.IDENTITY, self._identity)
        dealer.set(zmq.IMMEDIATE, 1)
        dealer.set(zmq.RECONNECT_IVL, 20)
        dealer.set(zmq.RECONNECT_IVL_MAX, 500)
        dealer.connect(endpoint)
        self._dealers[route] = dealer
        self._route_of[dealer] = route

    def disconnect(self, route: str) -> None:
        """Close a route of this process."""
        self._drop(route)

    def send(self, route: str, frames: list[Frame]) -> bool:
        """Send, or return False if the route leads nowhere or is full just now."""
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
        if self._stash:
            self._flush()
            timeout = min(timeout, FLUSH_EVERY) if self._stash else timeout
        arrivals: list[Arrival] = []
        for socket, _ in self._poller.poll(max(0, int(timeout * 1000 + 0.999))):
            if isinstance(socket, int):
                continue
            for _ in range(BURST):
                try:
                    frames: list[Frame] = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                if socket is self._front:
                    arrivals.append(Arrival(bytes(frames[0]).decode("latin-1"), frames[1:]))
                else:
                    arrivals.append(Arrival(self._route_of[socket], frames))
        return arrivals

    def close(self) -> None:
        """Send what is still waiting, for a moment, and close."""
        self._flush()
        for socket in [*self._dealers.values(), *([self._front] if self._front is not None else [])]:
            socket.close(linger=LINGER)
        self._context.term()

    def _socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.set(zmq.SNDHWM, HIGH_WATER)
        socket.set(zmq.RCVHWM, HIGH_WATER)
        socket.set(zmq.MAXMSGSIZE, MAX_TENSOR)
        socket.set(zmq.LINGER, LINGER)
        self._poller.register(socket, zmq.POLLIN)
        return socket

    def _drop(self, route: str) -> None:
        dealer = self._dealers.pop(route, None)
        self._stash.pop(route, None)
        if dealer is not None:
            del self._route_of[dealer]
            self._poller.unregister(dealer)
            dealer.close(linger=0)

    def _answer(self, route: str, frames: list[Frame]) -> bool:
        if self._front is None or not self._push(self._front, [route.encode("latin-1"), *frames]):
            self.lost += 1
            return False
        return True

    def _push(self, socket: "zmq.Socket[bytes]", frames: list[Frame]) -> bool:
        try:
            last = len(frames) - 1
            for index, frame in enumerate(frames):
                flags = zmq.NOBLOCK if index == last else zmq.NOBLOCK | zmq.SNDMORE
                socket.send(frame, flags, copy=len(frame) < ZERO_COPY)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        return True

    def _flush(self) -> None:
        for route in list(self._stash):
            stash, dealer = self._stash[route], self._dealers[route]
            while stash and self._push(dealer, stash[0]):
                stash.popleft()
            if not stash:
                del self._stash[route]
