"""Which edges are open in a step: what the team earns with each set of them, less a price an edge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product as choices
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays
from bnpg_math.learning.adam import Adam
from bnpg_math.learning.minibatches import minibatches
from bnpg_math.networks.mlp import backpropagate, initial, outputs
from bnpg_math.networks.tiles import padded

Open = NDArray[np.bool_]
HIDDEN = {True: (64, 64), False: (32, 32)}
"""Layers of the network that says what sets are worth: of all edges, and of those into one agent."""
PASSES, ROWS, RATE = 4, 256, 0.005
"""How the values are fitted: passes, rows of a minibatch, step size."""
HALVINGS = 40
"""Of the interval in which the price is sought."""


class Gate(Protocol):
    """Says which edges are open."""

    def opened(self, everything: FloatArray) -> Open:
        """Return (n, E) from what the whole team sees, (n, D)."""


@dataclass(frozen=True)
class Always:
    """The same edges in every step."""

    edges: tuple[bool, ...]

    def opened(self, everything: FloatArray) -> Open:
        """Return them."""
        return np.tile(np.array(self.edges, dtype=bool), (len(everything), 1))


@dataclass(frozen=True)
class AtRandom:
    """Every edge with probability 1/2, whatever is seen."""

    edges: int
    drawn: np.random.Generator

    def opened(self, everything: FloatArray) -> Open:
        """Draw them."""
        return self.drawn.random((len(everything), self.edges)) < 0.5


@dataclass(frozen=True)
class Part:
    """Some edges whose sets are valued together.

    Parameters
    ----------
    edges : tuple of int
    sees : tuple of int
        Columns of what the whole team sees.
    theta : dict from str to array
        Of a network with an output a set.
    """

    edges: tuple[int, ...]
    sees: tuple[int, ...]
    theta: Arrays

    def values(self, everything: FloatArray) -> FloatArray:
        """Return what every set is worth, (n, 2^k)."""
        return outputs(self.theta, padded(everything[:, self.sees]))[: len(everything)]


@dataclass(frozen=True)
class Valued:
    """The set that is worth most when every open edge costs a price."""

    parts: tuple[Part, ...]
    price: float = 0.0

    def opened(self, everything: FloatArray) -> Open:
        """Return the best sets."""
        return self._best([part.values(everything) for part in self.parts], self.price)

    def within(self, everything: FloatArray, budget: float) -> "Valued":
        """Return it at the lowest price at which no more are open on average."""
        values = [part.values(everything) for part in self.parts]
        low, high = 0.0, 2.0 * max(float(np.ptp(one, axis=1).max()) for one in values)
        if self._best(values, low).sum(axis=1).mean() <= budget:
            return replace(self, price=low)
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            few = self._best(values, middle).sum(axis=1).mean() <= budget
            low, high = (low, middle) if few else (middle, high)
        return replace(self, price=high)

    def _best(self, values: Sequence[FloatArray], price: float) -> Open:
        opened = np.zeros((len(values[0]), sum(len(part.edges) for part in self.parts)), dtype=bool)
        for part, worth in zip(self.parts, values, strict=True):
            sets = sets_of(len(part.edges))
            opened[:, part.edges] = sets[(worth - price * sets.sum(axis=1)).argmax(axis=1)]
        return opened


def sets_of(edges: int) -> Open:
    """Return all sets of some edges, (2^k, k); of two that are worth the same the first is smaller."""
    every = np.array(list(choices((False, True), repeat=edges)), dtype=bool).reshape(2**edges, edges)
    return every[np.argsort(every.sum(axis=1), kind="stable")]


def fitted(
    seed: int,
    index: int,
    edges: Sequence[int],
    sees: Sequence[int],
    tried: tuple[FloatArray, Open, FloatArray],
) -> Part:
    """Fit what sets of edges are worth to what came of sets that were tried.

    Parameters
    ----------
    seed, index : int
        Address of what is random.
    edges, sees : sequence of int
        As in :class:`Part`.
    tried : tuple
        What the whole team saw, which edges were open, and what the team earned beyond what was expected.
    """
    everything, opened, earned = tried
    sets = sets_of(len(edges))
    weights = 2 ** np.arange(len(edges))
    number = np.zeros(len(sets), dtype=np.intp)
    number[sets @ weights] = np.arange(len(sets))
    which: IntArray = number[opened[:, list(edges)] @ weights]
    inputs = everything[:, list(sees)]
    scale = float(earned.std()) or 1.0
    targets = earned / scale
    hidden = HIDDEN[len(edges) == opened.shape[1]]
    theta = initial(seed, index, inputs.shape[1], hidden, len(sets), last_gain=1.0)
    memory: Arrays = {}
    optimiser = Adam()
    for number_ in range(PASSES):
        eta = RATE * (1.0 - number_ / PASSES)
        for rows in minibatches(seed, index, 0, number_, len(inputs), -(-len(inputs) // ROWS)):
            theta, memory = optimiser.step(theta, _uphill(theta, inputs, which, targets, rows), memory, eta)
    last = f"{2 * len(hidden)}"
    real = {name: array * scale if name.startswith(f"{last}.") else array for name, array in theta.items()}
    return Part(tuple(edges), tuple(sees), real)


def _uphill(
    theta: Arrays, inputs: FloatArray, which: IntArray, targets: FloatArray, rows: IntArray
) -> Arrays:
    """Return the gradient of -(1/2) mean (value of the set that was open - what came of it)^2."""

    def pull(part: slice, found: FloatArray) -> FloatArray:
        pulled = np.zeros_like(found)
        at = (np.arange(len(found)), which[rows[part]])
        pulled[at] = (targets[rows[part]] - found[at]) / len(rows)
        return pulled

    return backpropagate(theta, len(rows), lambda part: inputs[rows[part]], pull)
