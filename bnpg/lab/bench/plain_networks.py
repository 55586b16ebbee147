"""A bundled simulator in one process, with a small network for each agent, as `plain_players` has tables.

One generator for everything, one matrix product for all lanes, no messages, nothing that could be replayed.
With `learn` the update follows the returns as well, by the gradient alone.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from bnpg_coordinator.worlds.bundled.registry import SIMULATORS, simulator
from numpy.typing import NDArray

from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.plain_numpy import measured, played, softmax
from bnpg.one_thread import one_thread
from bnpg_math.dag.interface import Graph
from bnpg_math.games.call import parse_call

Rows = NDArray[np.float64]
Layers = list[tuple[Rows, Rows]]
"""Weights (in, out) and biases (out,), layer by layer."""
AT_ONCE = 1024
"""Rows that the update takes through a network at once."""


class PlainNetworks:
    """All agents and lanes of a bundled simulator, each agent with a perceptron of its own.

    Parameters
    ----------
    name : str
        Of the simulator, with its parameters.
    dag : Graph
    hidden : tuple of int
        Widths of the hidden layers.
    lanes, steps : int
        Of a round.
    learning_rate : float
    """

    def __init__(
        self,
        name: str,
        dag: Graph,
        hidden: tuple[int, ...],
        lanes: int,
        steps: int,
        learning_rate: float = 0.1,
    ) -> None:
        self.simulator = simulator(*parse_call(name, SIMULATORS))
        self._actions = self.simulator.actions
        self._dag = dag
        self._lanes, self._steps, self._learning_rate = lanes, steps, learning_rate
        self._rng = np.random.default_rng(0)
        self._networks = []
        for space, above, many in zip(self.simulator.spaces, dag.parents, self._actions, strict=True):
            entering = space.width + sum(self._actions[parent] for parent in above)
            widths = (entering, *hidden, many)
            self._networks.append(
                [(self._rng.normal(size=(a, b)) / np.sqrt(a), np.zeros(b)) for a, b in pairwise(widths)]
            )

    def play(self, learn: bool) -> float:
        """Play a round, and compute the update if wished; return the mean reward of a step."""
        kept: list[Any] | None = [] if learn else None
        mean = played(self.simulator, self._rng, self._lanes, self._steps, self._act, kept)
        if kept is not None:
            self._update(kept)
        return mean

    def _act(self, seen: tuple[NDArray[np.float32], ...]) -> tuple[list[Rows], list[NDArray[np.intp]]]:
        """Return what went into every agent's network, and what it does."""
        entered: list[Rows] = []
        actions: list[NDArray[np.intp]] = []
        for agent, above in enumerate(self._dag.parents):
            heard = [np.eye(self._actions[parent])[actions[parent]] for parent in above]
            rows = np.concatenate([seen[agent], *heard], axis=1, dtype=np.float64)
            sums = softmax(layers(self._networks[agent], rows)[-1]).cumsum(axis=1)[:, :-1]
            taken: NDArray[np.intp] = (sums <= self._rng.random(self._lanes)[:, None]).sum(axis=1)
            entered.append(rows)
            actions.append(taken)
        return entered, actions

    def _update(self, kept: list[Any]) -> None:
        """REINFORCE with the mean of the step as baseline."""
        togo = np.zeros(self._lanes)
        weights: list[Rows] = []
        for time_ in reversed(range(self._steps)):
            ends = (time_ + 1) % self.simulator.length == 0
            togo = kept[time_][2] + (0.0 if ends else togo)
            weights.append((togo - togo.mean()) / self._lanes)
        together = np.concatenate(weights[::-1])
        for agent, network in enumerate(self._networks):
            rows = np.concatenate([entered[agent] for entered, _, _ in kept])
            actions = np.concatenate([chosen[agent] for _, chosen, _ in kept])
            gradient = [(np.zeros_like(weight), np.zeros_like(bias)) for weight, bias in network]
            for start in range(0, len(rows), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                add_gradient(gradient, network, rows[part], actions[part], together[part])
            for (weight, bias), (along, aside) in zip(network, gradient, strict=True):
                weight[...] += self._learning_rate * along
                bias[...] += self._learning_rate * aside

    def measure(self, seconds: float, learn: bool = False) -> Sample:
        """Play rounds for about so long on one thread, as a run does, and return the time of a step."""
        with one_thread():
            return measured(lambda: self.play(learn), self._steps, seconds)


def layers(network: Layers, rows: Rows) -> list[Rows]:
    """Return what goes into every layer, and last what comes out."""
    reached = [rows]
    for number, (weight, bias) in enumerate(network):
        sums = reached[-1] @ weight + bias
        reached.append(np.tanh(sums) if number + 1 < len(network) else sums)
    return reached


def add_gradient(
    gradient: Layers, network: Layers, rows: Rows, actions: NDArray[np.intp], weights: Rows
) -> None:
    """Add the derivative of sum_k w_k log pi(a_k) of some rows."""
    reached = layers(network, rows)
    back = -weights[:, None] * softmax(reached[-1])
    back[np.arange(len(rows)), actions] += weights
    for number in reversed(range(len(network))):
        gradient[number][0][...] += reached[number].T @ back
        gradient[number][1][...] += back.sum(axis=0)
        if number:
            back = (back @ network[number][0].T) * (1.0 - reached[number] ** 2)
