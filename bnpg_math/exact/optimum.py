"""The optimal value over all joint policies (Definition 2), by policy iteration.

Policy iteration over joint actions is exact in finitely many steps. Under full observability the optimum
is attained by a deterministic joint policy, which every DAG can represent. In doubles it stops where what is
left may be rounding, and says how much the true optimum can exceed it; where that is not small beside V*, it
is repeated on centred rewards, and then in integers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.fixed_point import FixedPoint, is_affordable
from bnpg_math.exact.rounding import (
    UNIT,
    Enclosed,
    backup_rounding,
    left_over,
    magnitude,
    starting,
    sum_upwards,
    underflow,
)
from bnpg_math.exact.values import factorise
from bnpg_math.games.game import Game
from bnpg_math.games.transitions.interface import Transition

_LOST = 1e-300
"""More than products below the normal doubles lose of Q: between rewards next to them it would never stop."""


class Optimum(NamedTuple):
    """V* from each state ``[S]`` and a deterministic joint policy ``[S, A_1, .., A_N]`` attaining it."""

    V: FloatArray
    policy: FloatArray


class Iterated(NamedTuple):
    """Where policy iteration stopped.

    ``V``: (S,) values of the policy; ``choice``: (S,) its flat joint actions; ``above``, ``below``: what the
    optimality equation and the policy's own equation are off by, at least 0; ``scale``: the largest |Q|.
    """

    V: FloatArray
    choice: NDArray[np.intp]
    above: float
    below: float
    scale: float


def optimal_value(game: Game) -> Optimum:
    """Solve the game as one agent that chooses the joint action.

    Parameters
    ----------
    game : Game
        The game.

    Returns
    -------
    Optimum
        V* and a greedy policy. ``game.initial @ V`` is max_pi V_pi(mu).
    """
    found = solve_in_doubles(game)
    if not enclosed_optimum(game, found).decided and is_affordable(game):
        exact = FixedPoint(game)
        solved = exact.optimum(found.choice)
        return Optimum(exact.values(solved.x, found.V), _one_hot(game, solved.choice))
    return Optimum(found.V, _one_hot(game, found.choice))


def solve_in_doubles(game: Game) -> Iterated:
    """Policy iteration from the actions of the largest rewards.

    Parameters
    ----------
    game : Game

    Returns
    -------
    Iterated
    """
    start = game.reward.reshape(game.states, -1).argmax(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        return policy_iteration(game.transition, game.reward, game.gamma, start)


def enclosed_optimum(game: Game, found: Iterated) -> Enclosed:
    """V*(mu) and its error, of a solution in doubles."""
    rounding = backup_rounding(game, 0.0) * found.scale + underflow(game, found.scale)
    error = left_over(game, max(found.above, found.below) + rounding)
    return Enclosed(float(game.initial @ found.V), sum_upwards(error, starting(game, found.V)))


def _one_hot(game: Game, choice: NDArray[np.intp]) -> FloatArray:
    policy = np.zeros((game.states, game.joint_actions))
    policy[np.arange(game.states), choice] = 1.0
    return policy.reshape(game.states, *game.actions)


def policy_iteration(
    transition: Transition, reward: FloatArray, gamma: float, start: NDArray[np.intp]
) -> Iterated:
    """Policy iteration over joint actions, in doubles.

    Parameters
    ----------
    transition : Transition
        P(s'|s, a).
    reward : (S, A_1, .., A_N) float
        Any reward.
    gamma : float
        Discount in [0, 1).
    start : (S,) int
        Joint action of every state to begin with, flat.

    Returns
    -------
    Iterated
    """
    states = np.arange(transition.states)
    choice = start
    while True:
        rewards = reward[(states, *np.unravel_index(choice, transition.actions))]
        V = factorise(transition.under_choice(choice), gamma)[0](rewards)
        Q = (reward + transition.expectation(gamma * V)).reshape(transition.states, -1)
        best = Q.argmax(axis=1)
        largest, own = Q[states, best], Q[states, choice]
        improves = largest > own + rounding(magnitude(Q), gamma)
        if not improves.any():
            above, below = float((largest - V).max()), float((V - own).max())
            return Iterated(V, choice, max(above, 0.0), max(below, 0.0), magnitude(Q))
        choice = np.where(improves, best, choice)


def rounding(largest: float, gamma: float) -> float:
    """Differences of Q below this may be rounding of the linear solve; policy iteration in doubles stops
    there.

    Ignoring them is what makes it stop between ties. They are not lost: what is ignored is part of the error
    of the result, which decides whether the result is taken.

    Parameters
    ----------
    largest : float
        The largest |Q|.
    gamma : float
        Discount in [0, 1); the system's condition number is at most (1 + gamma)/(1 - gamma).

    Returns
    -------
    float
    """
    return (32.0 * UNIT * largest + _LOST) / (1.0 - gamma)
