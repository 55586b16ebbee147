"""Exact evaluation of a joint policy: V, Q and the visitation d (section 2).

Both are linear systems with the same matrix I - gamma P_pi, so one LU factorisation serves V (the
matrix) and d (its transpose).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csc_array, eye_array, issparse
from scipy.sparse.linalg import splu

from bnpg_math.arrays import FloatArray
from bnpg_math.game import Game

Solve = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Values:
    """What a joint policy is worth.

    Parameters
    ----------
    V : (S,) float
        Discounted return from each state.
    Q : (S, A_1, .., A_N) float
        Discounted return from each state and joint action.
    d : (S,) float
        Unnormalised discounted visitation from mu; sums to 1/(1 - gamma).
    value : float
        V(mu).
    """

    V: FloatArray
    Q: FloatArray
    d: FloatArray
    value: float


def evaluate(game: Game, pi: FloatArray) -> Values:
    """Evaluate a joint policy exactly.

    Parameters
    ----------
    game : Game
        The game.
    pi : (S, A_1, .., A_N) float
        Joint policy.

    Returns
    -------
    Values

    Raises
    ------
    ValueError
        If the policy's shape is not the game's.
    """
    _check_shape(game, pi)
    forward, backward = resolvent(game, pi)
    V = forward(expected_reward(game.reward, pi))
    # The system is an M-matrix, so d >= 0; rounding may leave -1e-20 where a state is never visited.
    d = np.maximum(backward(game.initial), 0.0)
    Q = game.reward + game.gamma * game.transition.expectation(V)
    return Values(V=V, Q=Q, d=d, value=float(game.initial @ V))


def state_values(game: Game, pi: FloatArray) -> FloatArray:
    """V alone, for policy iterations that need nothing else.

    Parameters
    ----------
    game, pi
        As in :func:`evaluate`.

    Returns
    -------
    (S,) float
    """
    _check_shape(game, pi)
    return resolvent(game, pi)[0](expected_reward(game.reward, pi))


def expected_reward(reward: FloatArray, pi: FloatArray) -> FloatArray:
    """r_pi[s] = sum_a pi(a|s) r(s, a).

    Parameters
    ----------
    reward, pi : (S, A_1, .., A_N) float
        Any function of states and joint actions, and a joint policy.

    Returns
    -------
    (S,) float
    """
    result: FloatArray = (pi * reward).reshape(pi.shape[0], -1).sum(axis=1)
    return result


def resolvent(game: Game, pi: FloatArray) -> tuple[Solve, Solve]:
    """Factorise I - gamma P_pi once; return solvers for it and for its transpose.

    Parameters
    ----------
    game, pi
        As in :func:`evaluate`.

    Returns
    -------
    forward, backward : callables (S,) or (S, K) -> the same shape
        ``(I - gamma P_pi)^-1 x`` and ``(I - gamma P_pi)^-T x``.
    """
    return factorise(game.transition.under(pi), game.gamma)


def factorise(chain: Any, gamma: float) -> tuple[Solve, Solve]:
    """Factorise I - gamma P for a Markov chain, dense or sparse.

    Parameters
    ----------
    chain : (S, S) float, array or scipy sparse array
        P, rows sum to 1.
    gamma : float
        Discount in [0, 1).

    Returns
    -------
    forward, backward : callables
        As in :func:`resolvent`.
    """
    if _is_sparse(chain):
        identity: Any = eye_array(chain.shape[0])
        lu: Any = splu(csc_array(identity - gamma * chain))
        return lu.solve, lambda x: lu.solve(x, "T")
    matrix = -gamma * chain
    matrix.flat[:: matrix.shape[0] + 1] += 1.0
    factors = lu_factor(matrix, overwrite_a=True, check_finite=False)

    def forward(x: FloatArray) -> FloatArray:
        result: FloatArray = lu_solve(factors, x, check_finite=False)
        return result

    def backward(x: FloatArray) -> FloatArray:
        result: FloatArray = lu_solve(factors, x, trans=1, check_finite=False)
        return result

    return forward, backward


def _is_sparse(chain: Any) -> bool:
    return bool(issparse(chain))


def _check_shape(game: Game, pi: FloatArray) -> None:
    expected = (game.states, *game.actions)
    if pi.shape != expected:
        raise ValueError(f"policy must have shape {expected}, got {pi.shape}")
