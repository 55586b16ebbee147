"""How much more often other policies visit states than a given one: the constants of Lemmas 2' and 3'.

    C_pi = max over pi' of (1/S) sum_s d^pi'(s) / d^pi(s)

is linear in the visitation of pi', so it is one solved game, which pays 1 / (S d^pi(s)) in s. States that no
policy visits count 0. Assumption 1 is not needed: a softmax policy visits every state that any policy visits.

All constants are upper bounds; see :func:`bnpg_math.exact.visitation.entrywise`.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.centred import reachable
from bnpg_math.exact.optimum import Iterated
from bnpg_math.exact.rounding import UNIT, backup_rounding, left_over, row_defects
from bnpg_math.exact.values import eliminate_transposed
from bnpg_math.exact.visitation import Visitations, entrywise
from bnpg_math.games.game import Game

_LEAST = 1e-290
"""Visitations below this are as good as underflowed."""


class Coverage(NamedTuple):
    """How well a policy covers what others visit.

    ``largest``: at least C_pi, and at least 1; infinite where doubles cannot tell. ``optimal``: the same
    ratio for one nearly optimal policy, without a maximum, and ``missed``: what that policy is below V* at
    the most.
    """

    largest: float
    optimal: float
    missed: float


def coverage(game: Game, pi: FloatArray, best: Iterated) -> Coverage:
    """Compute the constants of a policy.

    Parameters
    ----------
    game : Game
        The game; its reward is not looked at.
    pi : (S, A_1, .., A_N) float
        A joint softmax policy.
    best : Iterated
        Where policy iteration for V* stopped.

    Returns
    -------
    Coverage
    """
    missed = left_over(game, best.above + best.below + 2.0 * backup_rounding(game, 0.0) * best.scale)
    if game.states == 1 or game.gamma == 0.0:
        # Every policy visits alike.
        return Coverage(1.0, 1.0, missed)
    rare = float(np.min(pi, where=pi > 0.0, initial=1.0))
    # Computed probabilities of a softmax are off by some units, and by their logarithm times as much. Where
    # they underflow, d is too small and its reciprocal too large: that is the safe side.
    d, off = visits(game, game.transition.under(pi), (4.0 * game.agents + 2.0 * -math.log(rare)) * UNIT)
    met = reachable(game)
    if not (d[met] > _LEAST).all():
        return Coverage(math.inf, math.inf, missed)
    pays = np.zeros(game.states)
    pays[met] = 1.0 / (game.states * d[met])
    # Units of dividing, of products and of sums.
    factor = entrywise(game, off) * (1.0 + 8.0 * game.states * UNIT)
    largest = Visitations(game).collected(pays) * factor
    of_best, off_best = visits(game, game.transition.under_choice(best.choice), 0.0)
    optimal = float(of_best @ pays) * factor * entrywise(game, off_best)
    return Coverage(_at_least_1(largest), optimal if math.isfinite(optimal) else math.inf, missed)


def _at_least_1(number: float) -> float:
    return max(number, 1.0) if math.isfinite(number) else math.inf


def visits(game: Game, chain: Any, off: float) -> tuple[FloatArray, float]:
    """Visitation of a chain, right in each entry.

    Parameters
    ----------
    game : Game
    chain : (S, S) float, array or scipy sparse array
        P under a policy.
    off : float
        Relative error of its entries, beside that of summing joint actions.

    Returns
    -------
    d : (S,) float
        Unnormalised.
    off : float
        The equation d = mu + gamma P^T d holds to within this, relatively, rounding included.
    """
    d = np.maximum(eliminate_transposed(chain, game.gamma)(game.initial), 0.0)
    again = game.initial + game.gamma * (chain.T @ d)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        defect = np.abs(again - d) / d
    defect[(d == 0.0) & (again == 0.0)] = 0.0
    kernel, initial = row_defects(game)
    operations = 4.0 * (game.states + 8) + game.joint_actions
    return d, float(defect.max()) * (1.0 + 1e-9) + operations * UNIT + kernel + initial + off
