"""The ring of bare messages once more, with zmq.asyncio in every process and in the driver."""

import asyncio
from pathlib import Path

import zmq.asyncio

from benchmarks.rivals import asyncio_node
from bnpg.lab.bench.bare_topology import BareTopology


class AsyncioRing(BareTopology):
    """Processes that pass messages on, each in an event loop."""

    program = Path(asyncio_node.__file__)

    def steps(self, count: int) -> None:
        """Make steps in an event loop of their own."""
        asyncio.run(self._steps(count))

    async def _steps(self, count: int) -> None:
        inbox = zmq.asyncio.Socket(shadow=self._inbox)
        pushes = [zmq.asyncio.Socket(shadow=push) for push in self._pushes]
        for _ in range(count):
            for push in pushes:
                await push.send(self._payload)
            for _ in range(self._awaits):
                await inbox.recv()
