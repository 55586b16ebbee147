"""Drawing actions and states by inverse CDF, one uniform a lane, all lanes at once.

A cumulative table is prepared once a round; its rows end in exactly 1. A uniform in [0, 1) therefore
always falls below the last entry and no index can run over, whatever the rounding of the sums.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import FEW, cells, places

# Up to this many outcomes, comparing with one column after the other beats bisection.
_COMPARE_UP_TO = 16

# Up to this many lanes, bisection one by one beats bisection of all at once.
_ONE_BY_ONE = 32

# Buckets of a guide table: entries it may have in all, and a row.
_GUIDE_ENTRIES = 1 << 20
_GUIDE_ROW = 1 << 12


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


def invert(table: FloatArray, rows: IntArray, uniforms: FloatArray) -> IntArray:
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
        second: IntArray = (table[:, 0].take(rows) <= uniforms).view(np.uint8)
        return second
    if outcomes <= _COMPARE_UP_TO:
        passed = np.zeros(len(rows), dtype=np.uint8)
        for column in range(outcomes - 1):
            passed += table[:, column].take(rows) <= uniforms
        return passed
    first = np.asarray(rows, dtype=np.int64) * outcomes
    positions: NDArray[np.int64] = bisect(table.reshape(-1), first, first + outcomes, uniforms) - first
    return positions


def _invert_few(sums: FloatArray, outcomes: int, rows: Sequence[int], uniforms: FloatArray) -> IntArray:
    """Do what :func:`invert` does with a table laid end to end, lane after lane: for few, that costs less."""
    drawn = []
    for row, uniform in zip(rows, uniforms.tolist(), strict=True):
        first = row * outcomes
        drawn.append(bisect_right(sums, uniform, first, first + outcomes) - first)
    return np.array(drawn, np.uint8 if outcomes <= 256 else np.int64)


class InverseCdf:
    """A table that is drawn from again and again, with a guide to where the search begins.

    [0, 1) is cut into equal buckets, and for each row and bucket the smallest outcome that a uniform of the
    bucket can have is kept (Chen & Asau 1974), and whether it is the only one. Most uniforms end there; the
    few whose bucket holds a step of the distribution go on from outcome to outcome. What is drawn is what
    :func:`invert` draws.

    Parameters
    ----------
    table : (R, K) float
        From :func:`cumulative`.
    """

    def __init__(self, table: FloatArray) -> None:
        rows, outcomes = table.shape
        self._table = np.ascontiguousarray(table)
        self._sums = self._table.reshape(-1)
        # A power of two, so that a uniform's bucket is exact.
        most = max(1, min(_GUIDE_ROW, _GUIDE_ENTRIES // rows, 32 * outcomes))
        self._buckets = 1 << (most.bit_length() - 1)
        self._guide: IntArray | None = None
        # Above any outcome: added to that of a bucket which holds others as well.
        self._unsure = 1 << 7 if outcomes <= 1 << 7 else 1 << 15
        if 2 < outcomes <= self._buckets:
            self._guide = self._first_outcomes()

    def _first_outcomes(self) -> IntArray:
        """How many sums lie at or below the lower edge of each bucket, row by row, laid end to end."""
        rows, width = len(self._table), self._buckets + 1
        passed_at = np.ceil(self._table * self._buckets).astype(np.intp)
        passed_at += width * np.arange(rows)[:, None]
        counts = np.bincount(passed_at.reshape(-1), minlength=rows * width).reshape(rows, width)
        first = np.cumsum(counts[:, :-1], axis=1)
        # Sums of exactly 1 are above every uniform: they are no steps.
        counts[:, -1] -= (self._table == 1.0).sum(axis=1)
        first += self._unsure * (counts[:, 1:] > 0)
        return first.astype(np.min_scalar_type(2 * self._unsure - 1)).reshape(-1)

    def draw(self, rows: IntArray, uniforms: FloatArray) -> IntArray:
        """Smallest index k with ``table[row, k] > u``, for every lane.

        Parameters
        ----------
        rows : (B,) int
            Each lane's row.
        uniforms : (B,) float
            In [0, 1).

        Returns
        -------
        (B,) int
            In 0..K-1.
        """
        outcomes = self._table.shape[1]
        if len(rows) <= FEW:
            return _invert_few(self._sums, outcomes, rows.tolist(), uniforms)
        if self._guide is None:
            return invert(self._table, rows, uniforms)
        buckets = (uniforms * self._buckets).astype(np.intp)
        buckets += np.multiply(rows, self._buckets, dtype=np.intp)
        drawn: IntArray = self._guide.take(buckets)
        unsure = np.flatnonzero(drawn >= self._unsure)
        if unsure.size:
            first = np.multiply(rows[unsure], outcomes, dtype=np.intp)
            drawn[unsure] = self._onwards(first, drawn[unsure] - self._unsure, uniforms[unsure])
        return drawn

    def _onwards(self, first: NDArray[np.intp], least: IntArray, uniforms: FloatArray) -> NDArray[np.intp]:
        """Go on from the smallest outcome of a bucket; `first` is where each lane's row begins."""
        reached = first + least
        # In most buckets there is one step, and it is passed or not.
        reached += self._sums.take(reached) <= uniforms
        further = np.flatnonzero(self._sums.take(reached) <= uniforms)
        if further.size:
            end = first[further] + self._table.shape[1]
            search = _bisect_one_by_one if further.size <= _ONE_BY_ONE else bisect
            reached[further] = search(self._sums, reached[further], end, uniforms[further])
        return reached - first


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


def _bisect_one_by_one(
    sums: FloatArray, first: NDArray[np.int64], end: NDArray[np.int64], uniforms: FloatArray
) -> list[int]:
    """Do the same as :func:`bisect`, lane after lane."""
    lanes = zip(uniforms.tolist(), first.tolist(), end.tolist(), strict=True)
    return [bisect_right(sums, uniform, low, high) for uniform, low, high in lanes]


def sample_actions(
    cumulative: FloatArray, states: IntArray, parent_actions: Sequence[NDArray[Any]], uniforms: FloatArray
) -> IntArray:
    """One agent's actions in every lane, given the state and its parents' actions.

    Parameters
    ----------
    cumulative : (S, A_p1, .., A_pk, A) float
        From :func:`cumulative` on the agent's policy.
    states : (B,) int
        Each lane's state, in range.
    parent_actions : sequence of k arrays (B,) int
        In ascending agent index, in range.
    uniforms : (B,) float
        In [0, 1).

    Returns
    -------
    (B,) int
        In 0..A-1.

    Raises
    ------
    ValueError
        If the number of parents, or a length, does not fit.
    """
    if len(parent_actions) != cumulative.ndim - 2:
        raise ValueError(f"expected actions of {cumulative.ndim - 2} parents, got {len(parent_actions)}")
    given = (states, *parent_actions)
    for array in given:
        # All arrays share one length: broadcasting one lane over the others would be a silent mistake.
        if array.shape != uniforms.shape:
            lengths = [choice.shape for choice in given]
            raise ValueError(f"states and parents' actions must have shape {uniforms.shape}, got {lengths}")
    if len(uniforms) <= FEW:
        few = places(given, cumulative.shape)
        return _invert_few(cumulative.reshape(-1), cumulative.shape[-1], few, uniforms)
    rows = cells(given, cumulative.shape[:-1])
    return invert(cumulative.reshape(-1, cumulative.shape[-1]), rows, uniforms)
