"""Action values at which prices are measured, and how far they are from the true ones.

A price does not change with a constant in all rewards, but values in doubles lose digits to one. So the
middle of the rewards is taken off before a policy is evaluated.
"""

from dataclasses import dataclass, replace

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.optimum import solve_in_doubles
from bnpg_math.exact.rounding import UNIT, backup_rounding, left_over, magnitude, sum_upwards, table_defects
from bnpg_math.exact.values import evaluate, expected_reward
from bnpg_math.games.game import Game
from bnpg_math.theory.additivity import transitions_matter


@dataclass(frozen=True)
class ActionValues:
    """Q of a policy, up to a constant.

    Parameters
    ----------
    Q : (S, A_1, .., A_N) float
    off : float
        No entry is farther from the true one than this.
    """

    Q: FloatArray
    off: float


def uniform_values(game: Game) -> ActionValues:
    """Q of the policies that play all actions alike."""
    return policy_values(game, np.full((game.states, *game.actions), 1.0 / game.joint_actions))


def policy_values(game: Game, pi: FloatArray) -> ActionValues:
    """Q of a joint policy.

    Parameters
    ----------
    game : Game
    pi : (S, A_1, .., A_N) float

    Returns
    -------
    ActionValues
        The rewards themselves where transitions do not matter: what follows an action is then the same for
        all.
    """
    if not transitions_matter(game):
        return ActionValues(game.reward, 0.0)
    level, lost = _levelled(game)
    found = evaluate(level, pi)
    defects = table_defects([pi.reshape(game.states, -1)])
    difference = magnitude(expected_reward(found.Q, pi) - found.V)
    rounding = backup_rounding(game, defects) * magnitude(found.Q)
    return ActionValues(found.Q, left_over(game, sum_upwards(difference, rounding, lost)))


def optimal_values(game: Game) -> ActionValues:
    """Q*."""
    if not transitions_matter(game):
        return ActionValues(game.reward, 0.0)
    level, lost = _levelled(game)
    found = solve_in_doubles(level)
    Q = level.reward + game.transition.expectation(game.gamma * found.V)
    rounding = backup_rounding(game, 0.0) * found.scale
    off = left_over(game, sum_upwards(max(found.above, found.below), rounding, lost))
    return ActionValues(Q, off)


def _levelled(game: Game) -> tuple[Game, float]:
    """The game without the middle of its rewards, and what taking that off rounds."""
    middle = float(game.reward.min()) / 2.0 + float(game.reward.max()) / 2.0
    reward = game.reward - middle
    return replace(game, reward=reward), 2.0 * UNIT * magnitude(reward)
