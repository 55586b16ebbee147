"""What first episodes paid, and what adding it up rounded."""

import numpy as np
from bnpg_coordinator.worlds.interface import WorldFailed

from bnpg.evaluation.playing import Step
from bnpg_math.arrays import FloatArray
from bnpg_math.exact.rounding import SMALLEST, UNIT

LARGEST = 1e300
"""Returns beyond this cannot be compared: their differences and sums may be beyond all floats."""


class Paid:
    """Returns of the first episodes of some lanes.

    Parameters
    ----------
    lanes : int
        n.
    usual : float
        What is taken off every reward. In games without an end that is no part of a difference of two
        returns, and costs its digits.
    """

    def __init__(self, lanes: int, usual: float = 0.0) -> None:
        self.lanes = lanes
        self._usual = usual
        self._returns, self._sizes = np.zeros(lanes), np.zeros(lanes)
        self._steps = 0

    def add(self, step: Step) -> None:
        """Add what a step pays to those whose episode is under way."""
        under_way = ~step.before
        with np.errstate(over="ignore"):
            rewards = step.rewards[under_way] - self._usual
            self._returns[under_way] += step.weight * rewards
            self._sizes[under_way] += step.weight * np.abs(rewards)
        self._steps += 1

    @property
    def returns(self) -> FloatArray:
        """(n,).

        Raises
        ------
        WorldFailed
            If they are too large to be compared.
        """
        largest = float(self._sizes.max())
        if not largest <= LARGEST:
            raise WorldFailed(
                f"rewards of an episode add up to {largest:.3g}: at most {LARGEST:g} is compared"
            )
        return self._returns

    @property
    def off(self) -> float:
        """How far each return may be from what it stands for by rounding."""
        # A power of gamma is off by a unit a step, and so is a partial sum; the rest is that of its terms.
        size = float(self._sizes.max())
        return (2 * self._steps + 4) * (UNIT * size + SMALLEST) * (1.0 + 1e-9) if size else 0.0
