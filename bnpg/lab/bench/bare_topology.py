"""The floor: the same hops over bare pyzmq, without anything said, checked, chosen or guaranteed.

Two topologies. In the *ring* one message goes from the driver through every agent and back: as many hops,
one after the other, as the longest chain of a step has. In the *graph* everything is sent that a step sends:
the driver to every agent, every agent to its children and to the driver, each once it has heard from the
driver and from all its parents.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import zmq

from bnpg.lab.bench import bare_node
from bnpg.lab.bench.nodes import Nodes
from bnpg_math.dag import Dag

DEADLINE = 30_000
"""Milliseconds the driver waits for an answer."""


class BareTopology(Nodes):
    """Processes that pass messages on, and their driver: this process.

    Parameters
    ----------
    sends : sequence of sequence of int
        To which nodes each node sends; -1 is the driver.
    first : sequence of int
        To which nodes the driver sends.
    payload : int
        Bytes a message.
    """

    scheme = "ipc://"
    program = Path(bare_node.__file__)
    """What every process runs."""

    def __init__(self, sends: Sequence[Sequence[int]], first: Sequence[int], payload: int) -> None:
        super().__init__()
        self._payload = bytes(range(1, 251)) * (payload // 250) + b"x" * (payload % 250)
        self._context = zmq.Context()
        self._inbox = self._context.socket(zmq.PULL)
        self._inbox.set(zmq.RCVTIMEO, DEADLINE)
        self._inbox.bind(self._endpoint(-1))
        self._awaits = sum(node == -1 for outs in sends for node in outs)
        for node, outs in enumerate(sends):
            awaits = (node in first) + sum(node in others for others in sends)
            words = (self._endpoint(one) for one in (node, *outs))
            self._start(self.program, str(awaits), *words)
        self._pushes = []
        for node in first:
            push = self._context.socket(zmq.PUSH)
            push.connect(self._endpoint(node))
            self._pushes.append(push)

    @classmethod
    def ring(cls, hops: int, payload: int) -> Self:
        """One message through `hops` - 1 processes and back."""
        nodes = hops - 1
        return cls([[node + 1] for node in range(nodes - 1)] + [[-1]], [0], payload)

    @classmethod
    def graph(cls, dag: Dag, payload: int) -> Self:
        """Everything a step sends."""
        return cls([[*dag.children[one], -1] for one in range(dag.agents)], range(dag.agents), payload)

    def step(self) -> None:
        """Send everything once, and wait for all that comes back."""
        for push in self._pushes:
            push.send(self._payload)
        for _ in range(self._awaits):
            self._inbox.recv()

    def steps(self, count: int) -> None:
        """Make steps, one after the other."""
        for _ in range(count):
            self.step()

    def _hang_up(self) -> None:
        self._context.destroy(linger=0)


def hops_of(dag: Dag) -> int:
    """How many messages of a step wait for each other: to an agent, along the longest path, and back."""
    return dag.depth + 2
