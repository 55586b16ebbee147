"""Fake processes on real sockets, so that a test decides what a real process hears, and when.

A fake coordinator meets real agents, a fake agent meets a real coordinator or real agents. Both speak the
wire format with the project's own codec, over zmq.asyncio.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import zmq
import zmq.asyncio
from bnpg_protocol.wire.addresses import COORDINATOR, UNASSIGNED
from bnpg_protocol.wire.codec import Frame, decode
from bnpg_protocol.wire.messages import (
    EdgeHello,
    EdgesConfirmed,
    EdgeWelcome,
    Hello,
    Roster,
    Start,
    Welcome,
)
from bnpg_protocol.wire.version import PROTOCOL_VERSIONS

from bnpg.lab.testing.channel import PATIENCE, Channel
from bnpg_math.arrays.numerics import fingerprint


class FakeProcess:
    """Sockets with a ROUTER that real processes connect to, and a DEALER for every one it connects to.

    Parameters
    ----------
    address : int
        -1 for a coordinator, otherwise the agent's id.
    bind : str
        Endpoint to listen on.
    incarnation : int
    run : str
    """

    def __init__(self, address: int, bind: str, incarnation: int = 1, run: str = "") -> None:
        self.address = address
        self.incarnation = incarnation
        self.run = run
        self.channels: dict[int, Channel] = {}
        """Open channels by the address of the peer."""
        self._context = zmq.asyncio.Context()
        self._front = self._socket(zmq.ROUTER)
        self._front.set(zmq.ROUTER_HANDOVER, 1)
        self._front.bind(bind)
        self.endpoint = self._front.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
        """Where real processes reach it."""
        self._routes: dict[int, bytes] = {}
        self._greeted = asyncio.Event()
        self._tasks = [asyncio.create_task(self._listen())]

    async def connect(self, peer: int, endpoint: str) -> Channel:
        """Open a channel to a real process."""
        socket = self._socket(zmq.DEALER)
        socket.connect(endpoint)
        channel = self._open(peer, self._dealing(socket))
        self._tasks.append(asyncio.create_task(self._attend(socket, channel)))
        return channel

    async def channel(self, peer: int, patience: float = PATIENCE) -> Channel:
        """Return the channel to a peer, waiting until it has connected."""
        try:
            async with asyncio.timeout(patience):
                while peer not in self.channels:
                    self._greeted.clear()
                    await self._greeted.wait()
        except TimeoutError:
            raise AssertionError(f"peer {peer} did not say a word in {patience:g} s") from None
        return self.channels[peer]

    async def close(self) -> None:
        """Close all sockets."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._context.destroy(linger=0)
        # ZeroMQ leaves the file of an ipc socket behind.
        Path(self.endpoint.removeprefix("ipc://")).unlink(missing_ok=True)

    def _socket(self, kind: int) -> zmq.asyncio.Socket:
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 0)
        return socket

    def _open(self, peer: int, put: Callable[[list[Frame]], Awaitable[None]]) -> Channel:
        channel = Channel(self.address, peer, self.incarnation, self.run, put)
        self.channels[peer] = channel
        self._greeted.set()
        return channel

    async def _listen(self) -> None:
        """Read the ROUTER: the sender of an envelope decides which channel it belongs to."""
        while True:
            route, *frames = await self._front.recv_multipart()
            envelope = decode(list(frames))
            if envelope.sender not in self.channels:
                self._open(envelope.sender, self._answering(envelope.sender))
            self._routes[envelope.sender] = route
            await self.channels[envelope.sender].arrived(envelope)

    async def _attend(self, socket: zmq.asyncio.Socket, channel: Channel) -> None:
        while True:
            await channel.arrived(decode(list(await socket.recv_multipart())))

    def _answering(self, peer: int) -> Callable[[list[Frame]], Awaitable[None]]:
        async def put(frames: list[Frame]) -> None:
            await self._front.send_multipart([self._routes[peer], *frames])

        return put

    @staticmethod
    def _dealing(socket: zmq.asyncio.Socket) -> Callable[[list[Frame]], Awaitable[None]]:
        async def put(frames: list[Frame]) -> None:
            await socket.send_multipart(frames)

        return put


class FakeCoordinator(FakeProcess):
    """A coordinator under the control of a test; real agents connect to it."""

    def __init__(self, bind: str, run: str = "test-run") -> None:
        super().__init__(COORDINATOR, bind, run=run)

    async def admit(self, agent: int, patience: float = PATIENCE, **fields: Any) -> tuple[Channel, Hello]:
        """Wait for an agent's Hello and welcome it; return its channel and what it said.

        Parameters
        ----------
        agent : int
            Who is awaited; -2 for one without an id, which then becomes agent 0.
        patience : float
            Seconds.
        fields
            Fields of the `Welcome` that are not as `welcome` has them.
        """
        channel = await self.channel(agent, patience)
        hello = await channel.expect(Hello, patience)
        await channel.send(welcome(0 if agent == UNASSIGNED else agent, **fields))
        return channel, hello

    async def start(self, channel: Channel, roster: Roster, round_: int = 0, epoch: int = 1) -> None:
        """Lead an agent whose neighbours answer by themselves from its Welcome to its Start."""
        channel.enter(epoch)
        await channel.send(roster)
        await channel.expect(EdgesConfirmed)
        await channel.send(Start(round_))


class FakeAgent(FakeProcess):
    """An agent under the control of a test; it connects to a real coordinator, or to a real child."""

    welcome: Welcome

    async def join(self, endpoint: str, held: tuple[int, ...] = (), **fields: Any) -> Channel:
        """Greet a real coordinator until it answers; return the channel, with the answer still in it."""
        channel = await self.connect(COORDINATOR, endpoint)
        await self.greet(channel, held, **fields)
        return channel

    async def greet(self, channel: Channel, held: tuple[int, ...] = (), **fields: Any) -> None:
        """Say Hello on a channel; every field of it can be given."""
        hello: dict[str, Any] = {
            "versions": PROTOCOL_VERSIONS,
            "agent": self.address,
            "endpoint": self.endpoint,
            "held": held,
            "experiment": "",
            "numerics": fingerprint(),
        } | fields
        await channel.send(Hello(**hello))

    async def confirm(self, channel: Channel, parents: tuple[int, ...], children: tuple[int, ...]) -> None:
        """Go from the Hello to where the Start is awaited, claiming that all edges are confirmed."""
        self.welcome = await channel.expect(Welcome)
        self.run = channel.run = next(
            envelope.run for envelope in channel.arrivals if isinstance(envelope.message, Welcome)
        )
        await channel.expect(Roster)
        await channel.send(EdgesConfirmed(parents, children))

    async def become_child(self, parent: int) -> Channel:
        """Answer the EdgeHello of a real parent."""
        channel = await self.channel(parent)
        await channel.expect(EdgeHello)
        await channel.send(EdgeWelcome())
        return channel


def welcome(agent: int, **fields: Any) -> Welcome:
    """Return a Welcome for a sampled run; every field can be given."""
    usual: dict[str, Any] = {
        "version": PROTOCOL_VERSIONS[-1],
        "agent": agent,
        "experiment": "experiment-digest",
        "mode": "sampled",
        "states": 4,
        "actions": 2,
        "parents": (),
        "parent_actions": (),
        "children": (),
        "rounds": 10,
        "seed": 5,
        "learning_rate": 0.5,
        "regularization": 0.01,
        "initial": "normal",
        "theta": np.zeros(0),
    }
    return Welcome(**(usual | fields))
