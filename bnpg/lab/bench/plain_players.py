"""A bundled simulator in one process: tables, the simulator, and nothing else.

What anybody would write first in numpy: one generator for everything, no messages, nothing that could be
replayed. With `learn` also update (3) is computed, as plainly.
"""

from typing import Any

import numpy as np
from bnpg_coordinator.worlds.bundled.registry import SIMULATORS, simulator
from bnpg_coordinator.worlds.indexed import IndexedWorld, indexed
from bnpg_coordinator.worlds.simulated import SimulatedWorld
from numpy.typing import NDArray

from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.plain_numpy import measured, played, softmax
from bnpg_math.dag.interface import Graph
from bnpg_math.games.call import parse_call

Rows = NDArray[np.intp]


class PlainPlayers:
    """All agents and lanes of a bundled simulator that has finitely many things to see.

    Parameters
    ----------
    name : str
        Of the simulator, with its parameters.
    dag : Graph
    lanes, steps : int
        Of a round.
    learning_rate : float
    """

    def __init__(self, name: str, dag: Graph, lanes: int, steps: int, learning_rate: float = 0.1) -> None:
        self.simulator = simulator(*parse_call(name, SIMULATORS))
        world = indexed(SimulatedWorld(self.simulator, 1.0, steps))
        assert isinstance(world, IndexedWorld)
        self._encoders = world.encoders
        self._actions = world.actions
        self._dag = dag
        self._lanes, self._steps, self._learning_rate = lanes, steps, learning_rate
        self._rng = np.random.default_rng(0)
        self._thetas = [
            np.zeros((states * int(np.prod([self._actions[parent] for parent in above])), many))
            for (states, _), above, many in zip(self._encoders, dag.parents, self._actions, strict=True)
        ]

    def play(self, learn: bool) -> float:
        """Play a round, and compute the update if wished; return the mean reward of a step."""
        policies = [softmax(theta) for theta in self._thetas]
        bounds = [policy.cumsum(axis=1)[:, :-1] for policy in policies]
        kept: list[Any] | None = [] if learn else None
        mean = played(
            self.simulator,
            self._rng,
            self._lanes,
            self._steps,
            lambda seen: self._act(self._indexed(seen), bounds),
            kept,
        )
        if kept is not None:
            self._update(policies, kept)
        return mean

    def _indexed(self, seen: Any) -> list[Rows]:
        known: dict[tuple[int, int], Rows] = {}
        found = []
        for numbers, (_, encode) in zip(seen, self._encoders, strict=True):
            which = (id(numbers), id(encode))
            if which not in known:
                known[which] = encode(numbers).astype(np.intp)
            found.append(known[which])
        return found

    def _act(self, seen: list[Rows], bounds: list[NDArray[np.float64]]) -> tuple[list[Rows], list[Rows]]:
        """Return which row of its table every agent is in, and what it does."""
        all_rows: list[Rows] = []
        actions: list[Rows] = []
        for agent, above in enumerate(self._dag.parents):
            rows = seen[agent]
            for parent in above:
                rows = rows * self._actions[parent] + actions[parent]
            drawn = self._rng.random(self._lanes)
            taken: Rows = (bounds[agent][rows] <= drawn[:, None]).sum(axis=1)
            all_rows.append(rows)
            actions.append(taken)
        return all_rows, actions

    def _update(self, policies: list[NDArray[np.float64]], kept: list[Any]) -> None:
        """REINFORCE with the mean of the step as baseline."""
        gradients = [np.zeros_like(theta) for theta in self._thetas]
        togo = np.zeros(self._lanes)
        for time_ in reversed(range(self._steps)):
            rows, actions, rewards = kept[time_]
            ends = (time_ + 1) % self.simulator.length == 0
            togo = rewards + (0.0 if ends else togo)
            weights = (togo - togo.mean()) / self._lanes
            for agent, many in enumerate(self._actions):
                shape = gradients[agent].shape
                counted = np.bincount(rows[agent] * many + actions[agent], weights, gradients[agent].size)
                gradients[agent] += counted.reshape(shape)
        for agent, (policy, gradient) in enumerate(zip(policies, gradients, strict=True)):
            local = gradient - policy * gradient.sum(axis=1, keepdims=True)
            self._thetas[agent] += self._learning_rate * local

    def measure(self, seconds: float, learn: bool = False) -> Sample:
        """Play rounds for about so long, and return the time of a step."""
        return measured(lambda: self.play(learn), self._steps, seconds)
