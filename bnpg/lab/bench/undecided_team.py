"""The floor over Unix sockets: the messages of a step, by our own transport and codec, with nothing decided.

What a step takes without machines: nobody orders, draws, learns or steps a world. With `reads` every message
is written, checked and read by our codec; without, the same frames are sent again and again.
"""

import itertools
from pathlib import Path

from bnpg_protocol.process.transport.unix import SCHEME, UnixTransport
from bnpg_protocol.wire.addresses import COORDINATOR

from bnpg.lab.bench import undecided_node
from bnpg.lab.bench.nodes import Nodes
from bnpg.lab.bench.undecided_node import arrivals, frames, states
from bnpg_math.dag import Dag


class UndecidedTeam(Nodes):
    """A process an agent, and their driver: this process.

    Parameters
    ----------
    dag : Dag
    reads : bool
        Whether messages are written and read by the codec.
    """

    scheme = SCHEME

    def __init__(self, dag: Dag, reads: bool) -> None:
        super().__init__()
        self._reads = reads
        self._transport = UnixTransport("driver", self._endpoint(COORDINATOR))
        self._agents = dag.agents
        for agent in range(dag.agents):
            words = (str(agent), str(1 + len(dag.parents[agent])), "reads" if reads else "")
            endpoints = (self._endpoint(one) for one in (COORDINATOR, agent, *dag.children[agent]))
            self._start(Path(undecided_node.__file__), *words, *endpoints)
        self._coming = arrivals(self._transport, reads)
        try:
            self._routes = sorted(next(self._coming).origin for _ in range(self._agents))
        except TimeoutError:
            self.close()
            raise
        self._turns = itertools.count()
        self._written = frames(COORDINATOR, 0, states(0))

    def steps(self, count: int) -> None:
        """Make steps, one after the other."""
        for turn in itertools.islice(self._turns, count):
            message = states(turn)
            for route in self._routes:
                written = frames(COORDINATOR, turn, message) if self._reads else self._written
                self._transport.send(route, written)
            for _ in range(self._agents):
                next(self._coming)

    def _hang_up(self) -> None:
        self._transport.close()
