"""The optimal value over all joint policies (Definition 2), by policy iteration.

Policy iteration over joint actions is exact in finitely many steps. Under full observability the optimum
is attained by a deterministic joint policy, which every DAG can represent.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.values import factorise
from bnpg_math.games.game import Game
from bnpg_math.games.transitions.interface import Transition


class Optimum(NamedTuple):
    """V* from each state ``[S]`` and a deterministic joint policy ``[S, A_1, .., A_N]`` attaining it."""

    V: FloatArray
    policy: FloatArray


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
    start = game.reward.reshape(game.states, -1).argmax(axis=1)
    V, choice = policy_iteration(game.transition, game.reward, game.gamma, start)
    policy = np.zeros((game.states, game.joint_actions))
    policy[np.arange(game.states), choice] = 1.0
    return Optimum(V, policy.reshape(game.states, *game.actions))


def policy_iteration(
    transition: Transition, reward: FloatArray, gamma: float, start: NDArray[np.intp]
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Policy iteration over joint actions.

    Parameters
    ----------
    transition : Transition
        P(s'|s, a).
    reward : (S, A_1, .., A_N) float
        Any reward, possibly a broadcast view.
    gamma : float
        Discount in [0, 1).
    start : (S,) int
        Joint action of every state to begin with, flat.

    Returns
    -------
    V : (S,) float
        Optimal values.
    choice : (S,) int
        Joint action of every state, flat.
    """
    states = np.arange(transition.states)
    choice = start
    while True:
        rewards = reward[(states, *np.unravel_index(choice, transition.actions))]
        V = factorise(transition.under_choice(choice), gamma)[0](rewards)
        Q = (reward + transition.expectation(gamma * V)).reshape(transition.states, -1)
        best = Q.argmax(axis=1)
        improves = Q[states, best] > Q[states, choice] + rounding(Q, gamma)
        if not improves.any():
            return V, choice
        choice = np.where(improves, best, choice)


def rounding(Q: FloatArray, gamma: float) -> float:
    """Differences of Q below this are rounding of the linear solve, not improvements.

    Ignoring them is what makes policy iteration stop between ties.

    Parameters
    ----------
    Q : float array
        Action values.
    gamma : float
        Discount in [0, 1); the system's condition number is at most (1 + gamma)/(1 - gamma).

    Returns
    -------
    float
    """
    return float(16.0 * np.finfo(np.float64).eps * max(Q.max(), -Q.min()) / (1.0 - gamma))
