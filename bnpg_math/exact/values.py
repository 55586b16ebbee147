"""Exact evaluation of a joint policy: V, Q and the visitation d (section 2).

Both are linear systems with the same matrix I - gamma P_pi, so one LU factorisation serves V (the
matrix) and d (its transpose). From `ITERATIVE_FROM` states on, both are solved by `krylov` instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs
from scipy.sparse import csc_array, eye_array, issparse
from scipy.sparse.linalg import splu

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.krylov import krylov_solver
from bnpg_math.games.game import Game

Solve = Callable[[FloatArray], FloatArray]

ITERATIVE_FROM = 512
"""States from which a factorisation costs more than iterating."""


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
    pi : (S, A_1, .., A_N) float
        The joint policy they are of.
    """

    V: FloatArray
    Q: FloatArray
    d: FloatArray
    value: float
    pi: FloatArray


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
    Q = game.reward + game.transition.expectation(game.gamma * V)
    return Values(V=V, Q=Q, d=d, value=float(game.initial @ V), pi=pi)


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
    states = pi.shape[0]
    result: FloatArray = np.vecdot(pi.reshape(states, -1), reward.reshape(states, -1))
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
    if game.states < ITERATIVE_FROM:
        return _direct(game.transition.under(pi), game.gamma)
    forward, backward = game.transition.along(pi)
    return _iterative(forward, backward, lambda: game.transition.under(pi), game.gamma)


def factorise(chain: Any, gamma: float) -> tuple[Solve, Solve]:
    """Prepare to solve with I - gamma P for a Markov chain, dense or sparse.

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
    if chain.shape[0] < ITERATIVE_FROM:
        return _direct(chain, gamma)
    return _iterative(lambda x: chain @ x, lambda x: chain.T @ x, lambda: chain, gamma)


def eliminate(chain: Any, gamma: float) -> Solve:
    """Factorise I - gamma P by rows, so that solutions for non-negative right sides are right in each entry.

    The matrix is diagonally dominant by rows. Factorised transposed, no row is exchanged, and off the
    diagonal only numbers of one sign are added: an entry is as accurate as its own size, however small.

    Parameters
    ----------
    chain, gamma
        As in :func:`factorise`.

    Returns
    -------
    callable (S,) -> (S,)
        ``(I - gamma P)^-1 x``.
    """
    if _is_sparse(chain):
        lu = _factors_by_rows(chain, gamma)
        return lambda x: lu.solve(x, "T")
    return _direct(chain, gamma)[0]


def eliminate_transposed(chain: Any, gamma: float) -> Solve:
    """The same for the transposed matrix, of which visitations are solutions; it is dominant by columns.

    Parameters
    ----------
    chain, gamma
        As in :func:`factorise`.

    Returns
    -------
    callable (S,) -> (S,)
        ``(I - gamma P)^-T x``.
    """
    if _is_sparse(chain):
        solve: Solve = _factors_by_rows(chain, gamma).solve
        return solve
    return _direct(chain, gamma)[1]


def _factors_by_rows(chain: Any, gamma: float) -> Any:
    identity: Any = eye_array(chain.shape[0])
    return splu(csc_array((identity - gamma * chain).T), diag_pivot_thresh=0.0)


def _iterative(
    forward: Solve, backward: Solve, chain: Callable[[], Any], gamma: float
) -> tuple[Solve, Solve]:
    factorised = cache(lambda: _direct(chain(), gamma))
    return (
        krylov_solver(forward, gamma, np.inf, lambda: factorised()[0]),
        krylov_solver(backward, gamma, 1, lambda: factorised()[1]),
    )


def _direct(chain: Any, gamma: float) -> tuple[Solve, Solve]:
    if _is_sparse(chain):
        identity: Any = eye_array(chain.shape[0])
        lu: Any = splu(csc_array(identity - gamma * chain))
        return lu.solve, lambda x: lu.solve(x, "T")
    matrix = -gamma * chain
    matrix.flat[:: matrix.shape[0] + 1] += 1.0
    # LAPACK itself: for small systems, scipy's checks around it take several times as long. A C-ordered
    # matrix is the transposed one to LAPACK, which saves a copy: so the two solvers swap places.
    factors, pivots, _ = dgetrf(matrix.T, overwrite_a=True)

    def forward(x: FloatArray) -> FloatArray:
        result: FloatArray = dgetrs(factors, pivots, x, trans=1)[0]
        return result

    def backward(x: FloatArray) -> FloatArray:
        result: FloatArray = dgetrs(factors, pivots, x)[0]
        return result

    return forward, backward


def _is_sparse(chain: Any) -> bool:
    return bool(issparse(chain))


def _check_shape(game: Game, pi: FloatArray) -> None:
    expected = (game.states, *game.actions)
    if pi.shape != expected:
        raise ValueError(f"policy must have shape {expected}, got {pi.shape}")
