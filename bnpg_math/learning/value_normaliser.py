"""The scale on which a critic learns returns: their mean and deviation, where later rounds count more.

After every round, weight <- keep weight + n, and mean and sum of squared deviations follow by the formula of
Chan, Golub & LeVeque (1979) for two sets put together, the older one at its weight. So no squares of large
numbers are subtracted from each other. The state is named arrays, stored beside the critic.
"""

import math
from typing import NamedTuple

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import Arrays

SMALLEST = 1e-13
"""Deviation below which returns count as equal, relative to their mean: rounding makes as much."""


class Scale(NamedTuple):
    """Mean and deviation of returns, > 0."""

    mean: float
    deviation: float

    def normal(self, returns: FloatArray) -> FloatArray:
        """Return what the critic learns: (G - mean) / deviation."""
        return (returns - self.mean) / self.deviation

    def real(self, values: FloatArray) -> FloatArray:
        """Return the returns that what the critic says stands for: the inverse of `normal`."""
        return values * self.deviation + self.mean


def scale(state: Arrays) -> Scale:
    """Return the scale that a state stands for; of the empty one 0 and 1.

    Parameters
    ----------
    state : dict from str to array
        From :func:`updated`, or empty.
    """
    if not state:
        return Scale(0.0, 1.0)
    weight, mean, squares = (float(state[name][0]) for name in ("weight", "mean", "squares"))
    deviation = math.sqrt(squares / weight)
    return Scale(mean, deviation if deviation > SMALLEST * abs(mean) and deviation > 0.0 else 1.0)


def updated(state: Arrays, returns: FloatArray, keep: float) -> Arrays:
    """Take in the returns of a round.

    Parameters
    ----------
    state : dict from str to array
        Empty at the beginning.
    returns : (K,) float
        Of all that counts in the round.
    keep : float
        What is left of the weight of former rounds, in [0, 1]; 1 counts all alike.

    Returns
    -------
    dict from str to array
        `weight`, `mean` and `squares`, (1,) float each; the same state if there are no returns.
    """
    if not returns.size:
        return state
    mean = float(returns.mean())
    squares = float(((returns - mean) ** 2).sum())
    weight = float(returns.size)
    if state:
        old = keep * float(state["weight"][0])
        apart = mean - float(state["mean"][0])
        whole = old + weight
        squares += keep * float(state["squares"][0]) + apart * apart * old * weight / whole
        mean = float(state["mean"][0]) + apart * weight / whole
        weight = whole
    named = {"weight": weight, "mean": mean, "squares": squares}
    return {name: np.array([number]) for name, number in named.items()}
