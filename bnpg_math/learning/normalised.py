"""Steps of a given length: a sampled gradient whose rows are levelled, divided by its own largest entry.

The gradient of a row that is met w times a step is w pi A: rows that are met seldom learn slowly, and all
learn slowly once policies are nearly deterministic. Dividing by w is the natural gradient, which is quick in
rows of which nearly nothing is known. Dividing by the root of w stands between the two: the standard error of
a row's estimate grows with the root of w too, so that after it all rows are equally noisy. And dividing by
the largest entry makes every step as long as the step size says, in logits, whatever rewards are measured in.

What is followed is nearly the path of the exact gradient, where Adam, which divides every entry by its own
size, leaves it for another one: on the empty graph of `climbing` it ends at 6, the gradient at 7.
"""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.short_axis import scaled, total

FEW = 1.0
"""Steps that are added to those in which a row was met, so that one that was not is no division by zero."""


def normalised_direction(gradient: FloatArray, met: FloatArray) -> FloatArray:
    """Return a sampled gradient, rows levelled, with a largest entry of 1.

    Every row is scaled by a positive number, so that it points uphill in the estimate.

    Parameters
    ----------
    gradient : (S, *P, A) float
        The sampled estimate of dL_lambda/dtheta^i; finite.
    met : (S, *P, A) float
        In how many steps of all lanes each row was met, with each action.

    Returns
    -------
    (S, *P, A) float
        Entries in -1..1, and one of them at an end; all 0 where the gradient is.

    Examples
    --------
    >>> gradient, met = np.array([[0.5, -0.5], [0.25, -0.25]]), np.array([[10.0, 5.0], [3.0, 0.0]])
    >>> normalised_direction(gradient, met).tolist()
    [[1.0, -1.0], [1.0, -1.0]]
    """
    largest = np.abs(gradient).max()
    if not largest > 0.0:
        return np.zeros_like(gradient)
    # Divided first: no entry overflows on its way, and units of rewards that are powers of 2 change no bit.
    direction = scaled(gradient / largest, 1.0 / np.sqrt(total(met) + FEW))
    level: FloatArray = direction / np.abs(direction).max()
    return level
