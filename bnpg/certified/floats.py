"""Upper bounds on both gaps in floating point, every rounding included: for games too large to be exact.

The solvers bound the gaps of the tables and the kernel as they are in memory, rows divided by their sums.
What these are off from the softmax of the logits and from the rows as they were given is added: relative to
the difference of a row, R / 2 (1-gamma)^2 for each of the two values of a gap.
"""

import math
from dataclasses import dataclass

from bnpg.evaluation.measure import Evaluation
from bnpg_math.exact.centred import reachable
from bnpg_math.exact.rounding import SMALLEST
from bnpg_math.games.game import Game

_UNIT = 2.0**-53
_UP = 1.0 + 1e-12
"""Covers the rounding of the few operations by which bounds are put together."""


@dataclass(frozen=True)
class FloatBounds:
    """What each agent alone can gain at most, and the optimality gap; infinite where nothing is known."""

    gains: tuple[float, ...]
    optimality: float

    @property
    def nash(self) -> float:
        """Upper bound on the Nash gap."""
        return max(self.gains)


def upper_bounds(game: Game, measured: Evaluation) -> FloatBounds:
    """Bound both gaps of a policy.

    Parameters
    ----------
    game : Game
    measured : Evaluation
        Of the policy, with the solvers' own bounds.

    Returns
    -------
    FloatBounds
    """
    # Of a row of a softmax: its exponents are off relative to their size, p |log p| < 1; then the sum, the
    # logarithm and the exponential. Of a row of P: a sum and a division, and a product of components.
    tables = sum(6 * count + 32 for count in game.actions) * _UNIT
    rows = (2 * game.states + 64) * _UNIT
    reward = game.reward[reachable(game)]
    spread = float(reward.max()) / 2 - float(reward.min()) / 2
    off = 2 * spread * (tables + game.gamma * rows) / (1 - game.gamma) ** 2
    if reward.max() > reward.min():
        off += 4.0 * SMALLEST / (1.0 - game.gamma) ** 2  # both may be below all doubles

    def above(gap: float) -> float:
        bound = (gap + off) * _UP
        return bound if math.isfinite(bound) else math.inf

    return FloatBounds(
        tuple(above(gain) for gain in measured.nash_gap_upper_per_agent), above(measured.optimality_gap_upper)
    )
