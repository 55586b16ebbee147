"""multiprocessing.Pipe, objects pickled: no identity, no loss recovered, one host only.

`PipeRing` passes one object through all processes and back. `PipeTeam` plays: the driver sends the states to
every agent, an agent that has its parents' actions sends its own to its children and to the driver.
"""

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Self

import numpy as np
import psutil

from benchmarks.rivals.players import Agent, Environment
from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.stepping import measure_steps
from bnpg_math.dag import Dag


class _Processes:
    """Daemon processes that end when they are sent None."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._started: list[SpawnProcess] = []
        self._first: list[Connection] = []

    def _look(self) -> list[psutil.Process]:
        return [psutil.Process(), *(psutil.Process(one.pid) for one in self._started)]

    def _steps(self, count: int) -> None:
        raise NotImplementedError

    def measure(self, seconds: float) -> Sample:
        """Return the time of a step."""
        return measure_steps(self._steps, seconds, self._look)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._first:
            connection.send(None)
        for process in self._started:
            process.join(5)
            process.kill()
            process.join()


class PipeRing(_Processes):
    """One object through `hops` - 1 processes and back."""

    def __init__(self, hops: int, payload: int) -> None:
        super().__init__()
        self._payload = b"x" * payload
        pipes = [self._context.Pipe(duplex=False) for _ in range(hops)]
        for node in range(hops - 1):
            ends = (pipes[node][0], pipes[node + 1][1])
            self._started.append(self._context.Process(target=_pass_on, args=ends, daemon=True))
            self._started[-1].start()
        self._first, self._last = [pipes[0][1]], pipes[-1][0]

    def _steps(self, count: int) -> None:
        for _ in range(count):
            self._first[0].send(self._payload)
            self._last.recv()


def _pass_on(receive: Connection, send: Connection) -> None:
    while (item := receive.recv()) is not None:
        send.send(item)
    send.send(None)


class PipeTeam(_Processes):
    """Everybody a process, a pipe for every direction that is used."""

    def __init__(self, dag: Dag, lanes: int) -> None:
        super().__init__()
        self._environment = Environment(dag.agents, lanes)
        edges = {edge: self._context.Pipe(duplex=False) for edge in dag.edges}
        self._answers = []
        for agent in range(dag.agents):
            states, answers = self._context.Pipe(duplex=False), self._context.Pipe(duplex=False)
            parents = [edges[parent, agent][0] for parent in dag.parents[agent]]
            outs = [*(edges[agent, child][1] for child in dag.children[agent]), answers[1]]
            arguments = (agent, dag.agents, states[0], parents, outs)
            self._started.append(self._context.Process(target=_play, args=arguments, daemon=True))
            self._started[-1].start()
            self._first.append(states[1])
            self._answers.append(answers[0])

    def _steps(self, count: int) -> None:
        for _ in range(count):
            states = self._environment.states
            for connection in self._first:
                connection.send(states)
            self._environment.step([connection.recv() for connection in self._answers])


def _play(
    agent: int, agents: int, states: Connection, parents: Sequence[Connection], outs: Sequence[Connection]
) -> None:
    player = Agent(agent, agents, len(parents))
    while (seen := states.recv()) is not None:
        actions: np.ndarray = player.act(seen, [parent.recv() for parent in parents])
        for out in outs:
            out.send(actions)
