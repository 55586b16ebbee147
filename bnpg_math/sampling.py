"""Drawing actions and states by inverse CDF, one uniform a lane, all lanes at once.

A cumulative table is prepared once a round; its rows end in exactly 1. A uniform in [0, 1) therefore
always falls below the last entry and no index can run over, whatever the rounding of the sums.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray

# Up to this many outcomes, comparing a lane's whole row in one vectorised pass beats bisection.
_COMPARE_UP_TO = 64


def cumulative(pi: FloatArray) -> FloatArray:
    """Cumulative sums over the last axis, rows ending in exactly 1.

    Parameters
    ----------
    pi : (..., A) float
        Probabilities; rows sum to one up to rounding.

    Returns
    -------
    (..., A) float
        Non-decreasing along the last axis. From the last outcome of positive probability on, exactly
        1.0: the uniform cannot reach an outcome of probability zero.
    """
    sums: FloatArray = np.cumsum(pi, axis=-1)
    total = sums[..., -1:].copy()
    sums /= total
    return sums


def invert(table: FloatArray, rows: IntArray, uniforms: FloatArray) -> NDArray[np.int64]:
    """Smallest index k with ``table[row, k] > u``, for every lane.

    Parameters
    ----------
    table : (R, K) float
        From :func:`cumulative`.
    rows : (B,) int
        Each lane's row.
    uniforms : (B,) float
        In [0, 1).

    Returns
    -------
    (B,) int
        In 0..K-1.
    """
    outcomes = table.shape[1]
    if outcomes == 2:
        second: NDArray[np.int64] = (table[rows, 0] <= uniforms).astype(np.int64)
        return second
    if outcomes <= _COMPARE_UP_TO:
        passed: NDArray[np.int64] = (table[rows] <= uniforms[:, None]).sum(axis=1, dtype=np.int64)
        return passed
    first = np.asarray(rows, dtype=np.int64) * outcomes
    positions: NDArray[np.int64] = bisect(table.reshape(-1), first, first + outcomes, uniforms) - first
    return positions


def bisect(
    sums: FloatArray, first: NDArray[np.int64], end: NDArray[np.int64], uniforms: FloatArray
) -> NDArray[np.int64]:
    """Smallest position p in ``first..end-1`` with ``sums[p] > u``, for every lane.

    Parameters
    ----------
    sums : (K,) float
        Cumulative rows laid end to end, each ending in exactly 1.
    first, end : (B,) int
        Each lane's row, half open and not empty.
    uniforms : (B,) float
        In [0, 1).

    Returns
    -------
    (B,) int
        Positions in `sums`.
    """
    low, high = first.copy(), end - 1
    for _ in range(int((end - first).max(initial=1)).bit_length()):
        middle = (low + high) // 2
        above = sums[middle] > uniforms
        high = np.where(above, middle, high)
        low = np.where(above, low, np.minimum(middle + 1, high))
    return low


def sample_actions(
    cumulative: FloatArray, states: IntArray, parent_actions: Sequence[NDArray[Any]], uniforms: FloatArray
) -> NDArray[np.int64]:
    """One agent's actions in every lane, given the state and its parents' actions.

    Parameters
    ----------
    cumulative : (S, A_p1, .., A_pk, A) float
        From :func:`cumulative` on the agent's policy.
    states : (B,) int
        Each lane's state.
    parent_actions : sequence of k arrays (B,) int
        In ascending agent index.
    uniforms : (B,) float
        In [0, 1).

    Returns
    -------
    (B,) int
        In 0..A-1.

    Raises
    ------
    ValueError
        If the number of parents, or a length, does not fit; or a state or action is out of range.
    """
    if len(parent_actions) != cumulative.ndim - 2:
        raise ValueError(f"expected actions of {cumulative.ndim - 2} parents, got {len(parent_actions)}")
    # All arrays share one length: broadcasting one lane over the others would be a silent mistake.
    if any(array.shape != uniforms.shape for array in (states, *parent_actions)):
        lengths = [array.shape for array in (states, *parent_actions)]
        raise ValueError(f"states and parents' actions must have shape {uniforms.shape}, got {lengths}")
    rows = np.ravel_multi_index((states, *parent_actions), cumulative.shape[:-1])
    return invert(cumulative.reshape(-1, cumulative.shape[-1]), rows, uniforms)
