"""A team whose processes have real ZeroMQ transports, and the test at the other end of every connection.

Nothing sleeps: who waits knows how many bytes are still on their way.
"""

from pathlib import Path
from typing import Any

import zmq
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.process.transport.zeromq import ZeroMQTransport
from bnpg_protocol.wire.codec import Frame
from bnpg_protocol.wire.effects import Stop

from bnpg.lab.testing.lockstep import Message
from bnpg.lab.testing.over_sockets import WAIT, SocketTeam, SocketWire

TURNS = 20_000
"""Turns of half a millisecond after which what is awaited will not come any more."""


class ZeroMQWire(SocketWire):
    """A `SocketWire` of ZeroMQ, whose connections take as much as is sent."""

    scheme = "ipc"
    transport: ZeroMQTransport  # type: ignore[assignment]

    def __init__(self, name: str, folder: Path, sent: list[Message], narrow: bool) -> None:
        super().__init__(name, folder, sent, narrow)
        self._context = zmq.Context()
        self._others: dict[str, zmq.Socket[bytes]] = {}
        self._coming = 0
        self._gone = 0
        """Bytes that were written to the process, and that were read of what it wrote."""

    def _open(self) -> ZeroMQTransport:  # type: ignore[override]
        return ZeroMQTransport(self._name, self._at)

    def connect(self, route: str, endpoint: str, key: str = "") -> None:  # noqa: ARG002
        """Let the transport connect to a socket of ours."""
        at = f"ipc://{self._folder}/{len(list(self._folder.iterdir()))}"
        self._other(route).bind(at)
        self.transport.connect(route, at)
        self._endpoints[route] = endpoint

    def arrive(self, loop: Loop, message: Message, now: float) -> Stop | None:
        """Let a message come in, and the process deal with it."""
        if message.origin not in self._others:
            other = self._other(message.origin)
            other.set(zmq.IDENTITY, message.origin.encode())
            other.connect(self._at)
        self._others[message.origin].send_multipart([bytes(frame) for frame in message.frames])
        self._coming += sum(map(len, message.frames))
        return self.settle(loop, now)

    def settle(self, loop: Loop, now: float) -> Stop | None:
        """Let the process take turns until all is there; collect what it sends."""
        exchange, transport = loop._exchange, self.transport
        for _ in range(TURNS):
            if transport.received_bytes >= self._coming and not transport._stash:
                break
            if exchange is not None:
                exchange.run(now + WAIT)
                if exchange.stop is not None:
                    return exchange.stop
                if not exchange.left:
                    continue
            for arrival in transport.receive(WAIT):
                stop = loop._arrived(arrival)
                if stop is not None:
                    return stop
            loop._machine.prepare()
        else:
            raise AssertionError(f"{transport.received_bytes} bytes of {self._coming} came to {self._name}")
        self.collect()
        return None

    def collect(self) -> bool:
        """Read what went out; return whether there was any."""
        before = self._gone
        read: dict[str, list[Message]] = {name: [] for name in self._others}
        poller = zmq.Poller()
        for other in self._others.values():
            poller.register(other, zmq.POLLIN)
        for _ in range(TURNS):
            if self._gone >= self.transport.sent_bytes:
                # Which connection was quicker is nobody's concern.
                self._sent += [message for name in read for message in read[name]]
                return self._gone > before
            poller.poll(1)
            for name, other in self._others.items():
                while other.poll(0):
                    frames: list[Frame] = list(other.recv_multipart())
                    self._gone += sum(map(len, frames))
                    # Behind the name of who connected: that goes over the process's own socket too.
                    self._gone += 0 if name in self._endpoints else len(name)
                    read[name].append(Message(self._to(name), self._as(name), frames))
        raise AssertionError(f"{self._gone} bytes of {self.transport.sent_bytes} came from {self._name}")

    def close(self) -> None:
        """Close both ends."""
        for other in self._others.values():
            other.close(linger=0)
        self._context.term()
        self.transport.close()

    def _other(self, name: str) -> "zmq.Socket[bytes]":
        before = self._others.pop(name, None)
        if before is not None:
            before.close(linger=0)
        other = self._others[name] = self._context.socket(zmq.DEALER)
        other.set(zmq.SNDTIMEO, 10_000)
        return other


class ZeroMQTeam(SocketTeam):
    """All processes of a run in one process, over ZeroMQ."""

    wire = ZeroMQWire

    def traffic(self, name: str) -> dict[str, Any]:
        """Return what went over the sockets of a process."""
        return self._wires[name].transport.counters()
