"""Games in the layouts of other programs' arrays: Markov decision processes, and payoffs of one shot.

MDPToolbox, for Python and for MATLAB, keeps P [A, S, S] and R in one of three shapes; there, one agent acts,
whose action is taken apart into those of a team. Nashpy and others keep a payoff array for each player; a
team needs them equal.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.npz import real, scalar
from bnpg_math.errors import GameError
from bnpg_math.games.builtin.matrix import matrix_game
from bnpg_math.games.game import Game, dense_game
from bnpg_math.games.probabilities import check_finite, place
from bnpg_math.games.transitions.sparse import SparseTransition


def game_from_mdp(
    transition: Any,
    reward: Any,
    gamma: float,
    actions: Sequence[int] | None = None,
    initial: Any = None,
    name: str = "game",
) -> Game:
    """Make a game of the arrays of an MDP.

    Parameters
    ----------
    transition : (A, S, S) float, or A sparse or dense matrices (S, S)
        P[a, s, s'].
    reward : (S,), (S, A) or (A, S, S) float, or A matrices (S, S)
        R(s), R(s, a) or R(s, a, s'); the last is averaged.
    gamma : float
        Discount, in [0, 1).
    actions : sequence of N int, optional
        (A_1, .., A_N) with product A: action a is the flat position of (a_1, .., a_N) in C order. One agent
        if missing.
    initial : (S,) float, optional
        Where play begins; anywhere alike if missing.
    name : str
        For people.

    Returns
    -------
    Game
        Sparse if `transition` is.

    Raises
    ------
    GameError
        If an array is not what it should be.
    """
    matrices = _matrices(transition, "P")
    if isinstance(matrices, list):
        count, states = len(matrices), int(matrices[0].shape[0])
    else:
        count, states = int(matrices.shape[0]), int(matrices.shape[1])
    counts = (count,) if actions is None else tuple(int(number) for number in actions)
    if math.prod(counts) != count or min(counts, default=0) < 1:
        raise GameError(f"actions {counts} must have a product of {count}, the first length of P")
    mu = np.full(states, 1.0 / states) if initial is None else real(initial, "initial", GameError)
    shape = (states, *counts)
    if isinstance(matrices, list):
        from scipy.sparse import csr_array, vstack

        # Rows of (a, s) in the order of (s, a).
        order = np.arange(count * states).reshape(count, states).T.reshape(-1)
        kernel = SparseTransition(csr_array(vstack(matrices, format="csr"))[order], counts)
        earned, averaged = _rewards(reward, matrices, count, states)
        return Game(name, kernel, earned.reshape(shape), mu, gamma, averaged)
    table = np.ascontiguousarray(matrices.transpose(1, 0, 2)).reshape(*shape, states)
    game = dense_game(name, table, np.zeros(shape), mu, gamma)
    earned, averaged = _rewards(reward, list(matrices), count, states)
    return Game(name, game.transition, earned.reshape(shape), game.initial, game.gamma, averaged)


def _matrices(given: Any, what: str) -> list[Any] | FloatArray:
    """[A, S, S], or the A matrices where there are sparse ones."""
    from scipy.sparse import csr_array, issparse

    held = given.tolist() if isinstance(given, np.ndarray) and given.dtype == object else given
    if isinstance(held, list | tuple) and any(map(issparse, _flat(held))):
        matrices: list[Any] = [csr_array(item).astype(np.float64) for item in _flat(held)]
        shapes = {matrix.shape for matrix in matrices}
        if len(shapes) != 1 or len(set(next(iter(shapes)))) != 1:
            raise GameError(f"{what} must be square matrices (S, S) of one shape, got {sorted(shapes)}")
        for matrix in matrices:
            check_finite(matrix.data, f"{what} data", GameError)
        return matrices
    array = real(held, what, GameError)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or min(array.shape) < 1:
        raise GameError(f"{what} must have shape (A, S, S), got {array.shape}")
    return array


def _dense(matrix: Any) -> Any:
    from scipy.sparse import issparse

    sparse: Any = matrix
    return sparse.toarray() if issparse(matrix) else matrix


def _flat(held: Any) -> list[Any]:
    """Entries of nested lists, as MATLAB's cells come."""
    return [leaf for item in held for leaf in (_flat(item) if isinstance(item, list | tuple) else [item])]


def _rewards(given: Any, matrices: list[Any], count: int, states: int) -> tuple[FloatArray, tuple[str, ...]]:
    """R as [S, A], and what is to be said of it."""
    from scipy.sparse import issparse

    notice = ("R is one of r(s, a, s') and was averaged over the next state",)
    nested = isinstance(given, list | tuple) or (isinstance(given, np.ndarray) and given.dtype == object)
    if nested and any(map(issparse, _flat(given))):
        rewards = _matrices(given, "R")
        if len(rewards) != count or rewards[0].shape != (states, states):
            raise GameError(f"R must have {count} matrices of shape {(states, states)}, one for each action")
        means = [np.asarray((p * r).sum(axis=1)).reshape(-1) for p, r in zip(matrices, rewards, strict=True)]
        return np.stack(means, axis=1), notice
    given = _dense(given)
    array = real(given, "R", GameError)
    check_finite(array, "R", GameError)
    if array.shape in ((states,), (states, 1), (1, states)) and (states, count) != array.shape:
        return np.repeat(array.reshape(-1, 1), count, axis=1), ()
    if array.shape == (states, count):
        return array, ()
    if array.shape == (count, states, states):
        dense = [_dense(matrix) for matrix in matrices]
        means = [np.vecdot(p, r) / p.sum(axis=-1) for p, r in zip(dense, array, strict=True)]
        return np.stack(means, axis=1), notice
    raise GameError(
        f"R must have shape {(states,)}, {(states, count)} or {(count, states, states)}, got {array.shape}"
    )


def game_from_payoffs(payoffs: Any, gamma: float = 0.0, name: str = "game") -> Game:
    """Make a game of one state of what the players get, who must all get the same.

    Parameters
    ----------
    payoffs : sequence of N arrays (A_1, .., A_N), or one such array
        Of each player, or of the team.
    gamma : float
        Discount, in [0, 1), of the game repeated for ever; 0 is a single shot.
    name : str
        For people.

    Returns
    -------
    Game

    Raises
    ------
    GameError
        Naming the first joint action for which two players get different payoffs.
    """
    if isinstance(payoffs, np.ndarray):
        team = real(payoffs, "payoff", GameError)
    else:
        arrays = [
            real(payoff, f"payoff of player {player}", GameError) for player, payoff in enumerate(payoffs)
        ]
        if not arrays or any(payoff.shape != arrays[0].shape for payoff in arrays):
            raise GameError(f"payoffs must be of one shape, got {[payoff.shape for payoff in arrays]}")
        team = arrays[0]
        if team.ndim != len(arrays):
            raise GameError(
                f"payoffs of {len(arrays)} players must have an axis each, got shape {team.shape}"
            )
        for player, payoff in enumerate(arrays[1:], 1):
            differs = payoff != team
            if differs.any():
                index = int(np.argmax(differs))
                where = place("payoff", index, team.shape)
                raise GameError(
                    f"players of a team must have one payoff, but {where} is {team.reshape(-1)[index]:g} "
                    f"for player 0 and {payoff.reshape(-1)[index]:g} for player {player}"
                )
    if team.ndim < 1 or min(team.shape) < 1:
        raise GameError(f"payoff must have shape (A_1, .., A_N), all of them at least 1, got {team.shape}")
    check_finite(team, "payoff", GameError)
    return matrix_game(name, team, scalar(gamma, "gamma", GameError))


def team_arrays(payoff: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the payoff of every player of a stack [N, A_1, .., A_N]."""
    if payoff.ndim < 2 or payoff.shape[0] != payoff.ndim - 1:
        raise GameError(f"payoffs of N players must have shape (N, A_1, .., A_N), got {payoff.shape}")
    return list(payoff)
