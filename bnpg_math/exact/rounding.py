"""How far results in doubles are from what they stand for.

Every number here is an upper bound. The game that is meant has the rows of its tables divided by their sums.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.arrays.short_axis import total
from bnpg_math.games.game import Game

UNIT = 2.0**-53
"""Relative error of one operation."""

SMALLEST = 5e-324
"""What a product below the normal doubles is off by at the most, and more than anything else it may lose."""

SLACK = 1e-9
"""How much of a lemma's threshold is left free, relatively; its bound then holds with SLACK / A to spare."""

ACCEPTED = 1e-7
"""Relative error up to which a number in doubles is taken; beyond, it is computed in integers."""

_ABOVE_ONE = 1.0 + 1e-12


class Enclosed(NamedTuple):
    """A number, and what the truth differs from it by at the most; infinite or NaN where nothing is known."""

    number: float
    error: float

    @property
    def decided(self) -> bool:
        """Whether the number is known to about seven digits."""
        return math.isfinite(self.number) and self.error <= ACCEPTED * abs(self.number)


_OF_KERNELS: WeakKeyDictionary[Game, tuple[float, float]] = WeakKeyDictionary()


def row_defects(game: Game) -> tuple[float, float]:
    """How far rows of P, and mu, are from summing to 1, with the rounding of finding out."""
    if game not in _OF_KERNELS:
        sums = game.transition.expectation(np.ones(game.states))
        rounding = 2.0 * game.states * UNIT
        kernel = float(np.abs(sums - 1.0).max()) + rounding
        _OF_KERNELS[game] = (kernel, abs(float(game.initial.sum()) - 1.0) + rounding)
    return _OF_KERNELS[game]


def table_defects(tables: Sequence[FloatArray]) -> float:
    """How far the agents' rows are from summing to 1, all together."""
    worst = 0.0
    for table in tables:
        sums = total(table)
        worst += max(float(sums.max()) - 1.0, 1.0 - float(sums.min())) + 2.0 * table.shape[-1] * UNIT
    return worst


def softmax_rounding(tables: Sequence[FloatArray]) -> float:
    """How far computed rows of a softmax may be from the true ones, in L1 and all agents together.

    An entry is off by some units of its own and by its logarithm times as much; the mean logarithm of a row,
    its entropy, is at most log A_i.
    """
    return softmax_rounding_of([table.shape[-1] for table in tables])


def softmax_rounding_of(actions: Sequence[int]) -> float:
    """The same, for agents with so many actions."""
    return float(sum(4 * count + 16 for count in actions)) * UNIT


def backup_rounding(game: Game, defects: float) -> float:
    """Relative to the largest |Q|: the error of a mixture of r + gamma P V over joint actions.

    Parameters
    ----------
    game : Game
    defects : float
        From :func:`table_defects`; 0 for deterministic policies.
    """
    operations = game.states + game.joint_actions + 4 * game.agents + 16
    return 2.0 * (operations * UNIT + row_defects(game)[0] + defects)


def underflow(game: Game, size: float) -> float:
    """What products below the normal doubles lose of a backup, beside its rounding.

    Parameters
    ----------
    game : Game
    size : float
        The largest |Q|; of zeros nothing is lost.
    """
    products = 4 * (game.agents + 2) * (game.states + game.joint_actions)
    return products * SMALLEST if size else 0.0


def left_over(game: Game, difference: float) -> float:
    """What a Bellman difference, at every step from now on, amounts to: difference / (1 - gamma)."""
    return difference / (1.0 - game.gamma) * _ABOVE_ONE


def mixing(game: Game) -> float:
    """Rounding of mu V, relative to the largest |V|."""
    return 2.0 * game.states * UNIT + row_defects(game)[1]


def starting(game: Game, V: FloatArray) -> float:
    """Rounding of mu V."""
    return mixing(game) * magnitude(V)


def magnitude(array: FloatArray) -> float:
    """Largest absolute value; NaN if there is one."""
    return max(float(array.max()), -float(array.min()))


def sum_upwards(*terms: float) -> float:
    """A sum, not below the true one."""
    return left_sum(terms) * _ABOVE_ONE
