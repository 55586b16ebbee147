"""Ray actors chained in DAG order: a call of an agent takes the results of its parents' calls.

Ray is an optional dependency, see `requirements/bench.in`. These are ordinary actor calls, not the compiled
graphs that Ray also has.
"""

import logging
import os
import tempfile
from types import TracebackType
from typing import Any, Self

import psutil

from benchmarks.rivals.players import Agent, Environment
from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.stepping import measure_steps
from bnpg_math.dag import Dag


def missing() -> str:
    """Return why Ray cannot be measured here, or the empty text."""
    try:
        import ray
    except ImportError as error:
        return f"{error}; install requirements/bench.txt"
    return "" if ray else "?"


class RayTeam:
    """Every agent an actor; the driver is this process."""

    def __init__(self, dag: Dag, lanes: int) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        self._ray = ray
        self._dag = dag
        self._environment = Environment(dag.agents, lanes)
        self._others = {one.pid for one in psutil.Process().children(recursive=True)}
        self._folder = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        ray.init(
            num_cpus=dag.agents,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=256 * 2**20,
            _temp_dir=self._folder.name,
            _node_ip_address="127.0.0.1",
            # Of itself it is 15, and every other process of the machine, ours included, has precedence.
            _system_config={"worker_niceness": 0},
        )
        actor: Any = ray.remote(num_cpus=1)(Player)
        self._actors = [actor.remote(one, dag.agents, len(dag.parents[one])) for one in range(dag.agents)]

    def _steps(self, count: int) -> None:
        for _ in range(count):
            states = self._environment.states
            chosen: list[Any] = []
            for agent, actor in enumerate(self._actors):
                chosen.append(actor.act.remote(states, *(chosen[one] for one in self._dag.parents[agent])))
            self._environment.step(self._ray.get(chosen))

    def _look(self) -> list[psutil.Process]:
        children = psutil.Process().children(recursive=True)
        return [psutil.Process(), *(one for one in children if one.pid not in self._others)]

    def measure(self, seconds: float) -> Sample:
        """Return the time of a step."""
        return measure_steps(self._steps, seconds, self._look)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()
        self._folder.cleanup()


class Player:
    """The actor."""

    def __init__(self, agent: int, agents: int, parents: int) -> None:
        self._agent = Agent(agent, agents, parents)

    def act(self, states: Any, *parents: Any) -> Any:
        """Its actions, given the states and its parents' actions."""
        return self._agent.act(states, parents)
