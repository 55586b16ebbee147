"""A team whose processes have real Unix transports, and the test at the other end of every connection.

Messages come in as bytes, often in two pieces, and what goes out is read back from the sockets: so that what
receives, cuts and writes in C is compared with the transport in Python like everything else.
"""

import select
import socket
import tempfile
from pathlib import Path
from struct import pack, unpack_from
from typing import Any
from zlib import crc32

from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_protocol.core import Exchanges
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.process.transport.stream import GREETING
from bnpg_protocol.process.transport.unix import UnixTransport
from bnpg_protocol.wire.codec import Frame
from bnpg_protocol.wire.effects import Stop

from bnpg.lab.testing.lockstep import COORDINATOR, Message, Team

TURNS = 40
"""Turns a process may take until nothing comes any more."""
AT_ONCE = 1 << 15
"""Bytes that are written before the process reads: no more than a socket keeps."""
WAIT = 0.0005
"""Seconds of the team's clock, and of waiting, that one run of an exchange may take."""


class SocketWire:
    """The sockets of one life of a process, and their other ends.

    Parameters
    ----------
    name : str
    folder : Path
        For sockets.
    sent : list of Message
        Where what it sends is put.
    narrow : bool
        Whether connections take few bytes at once.
    """

    scheme = "unix"
    endpoint = ""
    admission = None

    def __init__(self, name: str, folder: Path, sent: list[Message], narrow: bool) -> None:
        self._name = name
        self._folder = folder
        self._sent = sent
        self._narrow = narrow
        self._at = f"{self.scheme}://{folder}/bound"
        self.transport = self._open()
        self._ends: dict[str, socket.socket] = {}
        """Other ends, by the name that arrivals have as their origin."""
        self._unread: dict[str, bytes] = {}
        self._endpoints: dict[str, str] = {}

    def _open(self) -> UnixTransport:
        """Return the transport of the process."""
        return UnixTransport(self._name, self._at)

    def connect(self, route: str, endpoint: str, key: str = "") -> None:  # noqa: ARG002
        """Let the transport connect to a listener of ours."""
        path = self._folder / f"{len(list(self._folder.iterdir()))}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            self.transport.connect(route, f"unix://{path}")
            self._keep(route, listener.accept()[0])
        greeting = self._ends[route].recv(8)
        self._ends[route].recv(unpack_from("<II", greeting)[1])
        self._endpoints[route] = endpoint
        if self._narrow:
            stream = self.transport._routes[route]
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    def send(self, route: str, frames: list[Frame], more: bool = False) -> bool:
        """Send as the transport does."""
        return self.transport.send(route, frames, more)

    def exchange(self, compiled: Any) -> Exchanges | None:
        """Return what carries messages over these sockets in C."""
        made = self.transport.exchange(compiled)
        return made and (lambda core, _, *others: made(core, self.transport, *others))

    def arrive(self, loop: Loop, message: Message, now: float) -> Stop | None:
        """Let a message come in, in one piece or in more, and the process deal with it."""
        frames = message.frames
        lengths = b"".join(pack("<I", word) for word in (len(frames), *map(len, frames)))
        data = lengths + b"".join(frames)
        if message.origin not in self._ends:
            self._call(message.origin)
        mark = crc32(data)
        cut = mark % len(data) if mark & 0x100 else 0
        stop = None
        starts = [0, *range(cut, len(data), AT_ONCE)]
        for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
            piece = data[start:end]
            if piece and stop is None:
                try:
                    self._ends[message.origin].sendall(piece)
                except OSError:
                    break  # an earlier message was none, and ended the connection
                stop = self.settle(loop, now)
        return stop

    def settle(self, loop: Loop, now: float) -> Stop | None:
        """Let the process take turns until nothing comes any more; collect what it sends."""
        idle = 0
        for _ in range(TURNS):
            exchange = loop._exchange
            arrivals = []
            if exchange is not None:
                exchange.run(now + WAIT)
                if exchange.stop is not None:
                    return exchange.stop
            if exchange is None or exchange.left:
                arrivals = self.transport.receive(0.0)
            for arrival in arrivals:
                stop = loop._arrived(arrival)
                if stop is not None:
                    return stop
            loop._machine.prepare()
            idle = 0 if arrivals or self.collect() else idle + 1
            if idle > 1:
                break
        return None

    def collect(self) -> bool:
        """Read what went out; return whether there was any."""
        came = False
        for name, end in self._ends.items():
            while select.select([end], [], [], 0)[0]:
                try:
                    data = end.recv(1 << 16)
                except OSError:
                    break
                if not data:
                    break
                came = True
                self._cut(name, self._unread.pop(name, b"") + data)
        return came

    def close(self) -> None:
        """Close both ends."""
        for end in self._ends.values():
            end.close()
        self.transport.close()

    def _call(self, origin: str) -> None:
        """Connect to the process as somebody."""
        end = socket.socket(socket.AF_UNIX)
        end.connect(self._at.removeprefix("unix://"))
        greeting = GREETING + origin.encode()
        end.sendall(pack("<II", 1, len(greeting)) + greeting)
        self._keep(origin, end)

    def _keep(self, name: str, end: socket.socket) -> None:
        before = self._ends.pop(name, None)
        if before is not None:
            before.close()
        self._unread.pop(name, None)
        self._ends[name] = end

    def _cut(self, name: str, data: bytes) -> None:
        while len(data) >= 4:
            (count,) = unpack_from("<I", data)
            body = 4 + 4 * count
            if len(data) < body:
                break
            lengths = unpack_from(f"<{count}I", data, 4)
            if len(data) < body + sum(lengths):
                break
            frames: list[Frame] = []
            for length in lengths:
                frames.append(data[body : body + length])
                body += length
            data = data[body:]
            self._sent.append(Message(self._to(name), self._as(name), frames))
        self._unread[name] = data

    def _to(self, name: str) -> str:
        """Return who is at the other end of a connection."""
        return self._endpoints.get(name, name)

    def _as(self, name: str) -> str:
        """Return the origin of what is sent on it."""
        if self._name == COORDINATOR:
            return COORDINATOR
        agent, _, life = self._name.partition("#")
        return f"{agent}#{life}" if name in self._endpoints else f"child-{agent.removeprefix('agent-')}"


class SocketTeam(Team):
    """All processes of a run in one process, over real sockets, with a clock that is told the time."""

    wire: type[SocketWire] = SocketWire
    narrow = False

    def __init__(self, setup: CoordinatorSetup, compiled: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bnpg-")
        self._wires: dict[str, SocketWire] = {}
        self._opened = 0
        super().__init__(setup, compiled)

    def close(self) -> None:
        """Close every socket."""
        for wire in self._wires.values():
            wire.close()
        self._folder.cleanup()

    def traffic(self, name: str) -> dict[str, Any]:
        """Return what went over the sockets of a process, and what is left half done there."""
        transport = self._wires[name].transport
        half = [(stream._kept, stream._queued) for stream in transport._streams.values()]
        return transport.counters() | {"half": half}

    def _wire(self, name: str) -> Any:
        if name in self._wires:
            self._wires[name].close()
        folder = Path(self._folder.name) / str(self._opened)
        self._opened += 1
        folder.mkdir()
        full = name if name == COORDINATOR else f"{name}#{self._lives[name]}"
        self._wires[name] = self.wire(full, folder, self.sent, self.narrow)
        if name != COORDINATOR:
            self._wires[name].connect(COORDINATOR, COORDINATOR)
        return self._wires[name]

    def _arrived(self, name: str, message: Message) -> Stop | None:
        return self._wires[name].arrive(self.loops[name], message, self.now)

    def _looked(self, name: str) -> Stop | None:
        stop = super()._looked(name)
        settled = self._wires[name].settle(self.loops[name], self.now)
        return stop or settled


class NarrowTeam(SocketTeam):
    """The same, over connections that take few bytes at once."""

    narrow = True
