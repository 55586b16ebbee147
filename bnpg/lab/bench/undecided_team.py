"""The floor over Unix sockets: the messages of a step, by our own transport and codec, with nothing decided.

What a step takes without machines: nobody orders, draws, learns or steps a world. With `reads` every message
is written, checked and read by our codec; without, the same frames are sent again and again.
"""

import itertools
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from bnpg_protocol.process.transport.unix import SCHEME, UnixTransport
from bnpg_protocol.wire.addresses import COORDINATOR

from bnpg.lab.bench import undecided_node
from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.stepping import measure_steps
from bnpg.lab.bench.undecided_node import arrivals, frames, states
from bnpg_math.dag import Dag


class UndecidedTeam:
    """A process an agent, and their driver: this process.

    Parameters
    ----------
    dag : Dag
    reads : bool
        Whether messages are written and read by the codec.
    """

    def __init__(self, dag: Dag, reads: bool) -> None:
        self._reads = reads
        self._folder = tempfile.TemporaryDirectory(prefix="bnpg-bare-")
        self._transport = UnixTransport("driver", self._endpoint(COORDINATOR))
        self._agents = dag.agents
        self._processes = [
            subprocess.Popen(
                [
                    *(sys.executable, "-P", str(Path(undecided_node.__file__))),
                    *(str(agent), str(1 + len(dag.parents[agent])), "reads" if reads else ""),
                    *(self._endpoint(one) for one in (COORDINATOR, agent, *dag.children[agent])),
                ],
                stdin=subprocess.PIPE,
            )
            for agent in range(dag.agents)
        ]
        self._look = [psutil.Process(), *(psutil.Process(one.pid) for one in self._processes)]
        self._coming = arrivals(self._transport, reads)
        try:
            self._routes = sorted(next(self._coming).origin for _ in range(self._agents))
        except TimeoutError:
            self._close()
            raise
        self._turns = itertools.count()
        self._written = frames(COORDINATOR, 0, states(0))

    def _endpoint(self, node: int) -> str:
        return f"{SCHEME}{self._folder.name}/{'driver' if node == COORDINATOR else node}"

    def steps(self, count: int) -> None:
        """Make steps, one after the other."""
        for turn in itertools.islice(self._turns, count):
            message = states(turn)
            for route in self._routes:
                written = frames(COORDINATOR, turn, message) if self._reads else self._written
                self._transport.send(route, written)
            for _ in range(self._agents):
                next(self._coming)

    def measure(self, seconds: float) -> Sample:
        """Make steps for about so long, and return the time of one."""
        return measure_steps(self.steps, seconds, lambda: self._look)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            process.wait(10)
        self._transport.close()
        self._folder.cleanup()
