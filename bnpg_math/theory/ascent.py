"""What rounding may take of the rise that an exact update promises.

By the descent lemma a gradient step of 1/beta raises L_lambda by at least ||grad||^2 / (2 beta), and so does
a step that backtracking chose. Both are so of real numbers. In doubles L is compared with an allowance, each
L is off by what its evaluation rounds, and the gradient that is followed is not quite the true one: with
rewards that are large beside their differences a step may be taken that lowers L.
"""

import math
from typing import NamedTuple

from bnpg_math.dag import Dag
from bnpg_math.exact.rounding import backup_rounding, left_over, softmax_rounding_of
from bnpg_math.games.game import Game
from bnpg_math.learning.step_size import ALLOWED
from bnpg_math.theory.constants import sizes
from bnpg_math.theory.stationarity import gradient_rounding_at_any_policy


class AscentRounding(NamedTuple):
    """What an update may fall short by: `rise` of L_lambda, and `gradient` of the norm of its gradient."""

    rise: float
    gradient: float


def ascent_rounding(game: Game, dag: Dag, largest: float) -> AscentRounding:
    """How far an update in doubles may fall short of what the theorems assume.

    Parameters
    ----------
    game : Game
    dag : Dag
    largest : float
        Of |L_lambda| in the run.

    Returns
    -------
    AscentRounding
        With them, min ||grad|| <= sqrt(2 beta (room / T + rise)) + gradient after T updates.
    """
    returns = max(float(game.reward.max()), -float(game.reward.min())) / (1.0 - game.gamma)
    tables = softmax_rounding_of(game.actions)
    # Of one objective: its equation is off by the rounding of a solve and of a backup.
    one = left_over(game, 4.0 * backup_rounding(game, tables) * (returns + largest))
    entries = sum(above * own for above, own in sizes(game, dag).rows) * game.states
    rounding = gradient_rounding_at_any_policy(game)
    return AscentRounding(2.0 * one + 2.0 * ALLOWED * largest, math.sqrt(entries) * rounding)
