"""Games given by the few states that can follow, with their probabilities; no tensor is made on the way."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.npz import real, scalar
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game
from bnpg_math.games.probabilities import averaged_over_next, check_finite, distributions, place
from bnpg_math.games.transitions.sparse import SparseTransition


def sparse_game(
    name: str,
    successors: ArrayLike,
    probabilities: ArrayLike,
    reward: ArrayLike,
    initial: ArrayLike,
    gamma: float | FloatArray,
) -> Game:
    """Make a game from the successors of every state and joint action; it takes no more memory than they do.

    Parameters
    ----------
    name : str
        For people.
    successors : (S, A_1, .., A_N, K) int
        States that may follow, in 0..S-1. One that is listed twice counts with both probabilities.
    probabilities : (S, A_1, .., A_N, K) float
        Of these, not negative; each row over the last axis sums to 1. Where there are fewer than K successors
        the rest is 0, and what `successors` says there does not matter.
    reward : (S, A_1, .., A_N) float
        Team reward. One of r(s, a, s'), in the shape of `successors`, is averaged over the next state, and a
        notice says so.
    initial : (S,) float
        mu.
    gamma : float
        Discount, in [0, 1).

    Returns
    -------
    Game

    Raises
    ------
    GameError
        If an array is not what it should be.

    Examples
    --------
    >>> game = sparse_game("switch", [[[1], [0]], [[0], [1]]], np.ones((2, 2, 1)), np.eye(2), [1, 0], 0.5)
    >>> game.states, game.actions
    (2, (2,))
    """
    weights = real(probabilities, "probabilities", GameError)
    to = _whole(successors)
    if weights.ndim < 3 or weights.shape != to.shape or min(weights.shape) < 1:
        raise GameError(
            "successors and probabilities must both have shape (S, A_1, .., A_N, K), all of them at least 1, "
            f"got {to.shape} and {weights.shape}"
        )
    from scipy.sparse import csr_array

    states, *actions, width = weights.shape
    rows, notice = distributions(weights, "probabilities", GameError)
    outside = ((to < 0) | (to >= states)) & (rows > 0.0)
    if outside.any():
        index = int(np.argmax(outside))
        raise GameError(
            f"{place('successors', index, to.shape)} must be in 0..{states - 1}, got {to.reshape(-1)[index]}"
        )
    earned, averaged = _averaged(real(reward, "reward", GameError), rows, len(actions))
    cells = states * math.prod(actions)
    used = (rows > 0.0).reshape(cells, width)
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(used, axis=1))])
    matrix: Any = csr_array(
        (rows.reshape(cells, width)[used], to.reshape(cells, width)[used], starts), shape=(cells, states)
    )
    kernel = SparseTransition(matrix, actions)
    start, discount = real(initial, "initial", GameError), scalar(gamma, "gamma", GameError)
    return Game(name, kernel, earned, start, discount, tuple(filter(None, (notice, averaged))))


def successor_arrays(transition: SparseTransition) -> dict[str, NDArray[Any]]:
    """Return the arrays that `sparse_game` makes the same kernel of, to the bit.

    Parameters
    ----------
    transition : SparseTransition

    Returns
    -------
    dict
        ``successors`` and ``probabilities``, each row filled up with zeros at its end.
    """
    weights, to, starts = transition.content()
    lengths = np.diff(starts)
    width = int(lengths.max())
    shape = (transition.states, *transition.actions, width)
    used = np.arange(width) < lengths[:, None]
    successors = np.zeros(used.shape, dtype=np.int64)
    probabilities = np.zeros(used.shape)
    successors[used], probabilities[used] = to, weights
    return {"successors": successors.reshape(shape), "probabilities": probabilities.reshape(shape)}


def _averaged(reward: FloatArray, rows: FloatArray, agents: int) -> tuple[FloatArray, str]:
    """r(s, a), of r(s, a, s') where the shape says so."""
    if reward.shape != rows.shape:
        return reward, ""
    used = np.where(rows > 0.0, reward, 0.0)
    check_finite(used, "reward", GameError)
    if rows.shape[-1] == agents:
        raise GameError(
            f"reward of shape {reward.shape} may be r(s, a, s') or one reward for each of {agents} agents: "
            f"expected shape {rows.shape[:-1]}"
        )
    return averaged_over_next(rows, used)


def _whole(given: ArrayLike) -> NDArray[Any]:
    """Integers, or numbers without a fraction."""
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as reason:
        detail = " ".join(str(reason).split())[:120]
        raise GameError(f"successors must be an array of integers: {detail}") from None
    if array.dtype.kind in "iu":
        return array
    numbers = real(array, "successors", GameError)
    odd = numbers != np.floor(numbers)
    if odd.any() or not np.isfinite(numbers).all():
        index = int(np.argmax(odd | ~np.isfinite(numbers)))
        raise GameError(
            f"{place('successors', index, numbers.shape)} must be the number of a state, "
            f"got {numbers.reshape(-1)[index]}"
        )
    return numbers.astype(np.int64)
