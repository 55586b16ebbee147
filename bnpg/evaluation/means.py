"""Means over episodes, with intervals that hold the true mean in 95 of 100 cases.

They rest on the normal approximation: what happens in less than 3 of K episodes may not have been met.
"""

import math
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.by_two import mean, standard_error

WIDTH = 1.959963984540054
"""Standard errors on either side: of means of many episodes, 95 of 100 such intervals hold the true one."""
FEW = 30
"""Episodes that must differ for a standard error to mean much."""


@dataclass(frozen=True)
class Estimate:
    """A mean over episodes with its interval."""

    value: float
    low: float
    high: float

    def allowing(self, tail: float) -> "Estimate":
        """The same where as much as `tail` may be missing, whichever way."""
        return Estimate(self.value, self.low - tail, self.high + tail)


def estimate(values: FloatArray, off: float, span: float | None = None) -> Estimate:
    """Return a mean with its interval at 95 %.

    Parameters
    ----------
    values : (K,) float
        Finite, and no larger than `bnpg.evaluation.paid.LARGEST`.
    off : float
        How far each may be from what it stands for by rounding; values that differ by no more than this makes
        of them are alike.
    span : float, optional
        How far apart what was met is. Where few values differ from the others a standard error says little:
        an event in less than 3 of K episodes may not have been met, so the interval is wider by 3/K of the
        span. If it is not given it is that of the values.
    """
    count = values.size
    middle = mean(values)
    width = WIDTH * standard_error(values) + off if count > 1 else math.inf
    if np.count_nonzero(np.abs(values - np.median(values)) > 2.0 * off) < FEW:
        width += 3.0 / count * (float(np.ptp(values)) if span is None else span)
    return Estimate(middle, middle - width, middle + width)
