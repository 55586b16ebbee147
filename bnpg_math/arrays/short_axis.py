"""Sums, maxima, choices and row factors along a short last axis, as tables of few actions have.

numpy works along the last axis number by number when it is short: for two actions that is ten times slower
than adding two columns. The result is numpy's own to the last bit.
"""

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray

SHORT = 7
"""Longer axes are left to numpy; it adds up to seven numbers one after the other, as is done here."""
SMALL = 512
"""So are smaller tables: there a call costs more than its work."""


def total(array: FloatArray) -> FloatArray:
    """Sum over the last axis.

    Parameters
    ----------
    array : (..., K) float

    Returns
    -------
    (...) float
    """
    if array.shape[-1] > SHORT or array.size <= SMALL:
        summed: FloatArray = array.sum(axis=-1)
        return summed
    result = array[..., 0].copy()
    for column in range(1, array.shape[-1]):
        result += array[..., column]
    return result


def largest(array: FloatArray) -> FloatArray:
    """Maximum over the last axis.

    Parameters
    ----------
    array : (..., K) float
        Without NaN.

    Returns
    -------
    (...) float
    """
    if array.shape[-1] > SHORT or array.size <= SMALL:
        found: FloatArray = array.max(axis=-1)
        return found
    result = array[..., 0].copy()
    for column in range(1, array.shape[-1]):
        np.maximum(result, array[..., column], out=result)
    return result


def choice(array: FloatArray) -> NDArray[np.intp]:
    """First position of the maximum over the last axis.

    Parameters
    ----------
    array : (..., K) float
        Without NaN.

    Returns
    -------
    (...) int
    """
    if array.shape[-1] > SHORT or array.size <= SMALL:
        found: NDArray[np.intp] = array.argmax(axis=-1)
        return found
    best = array[..., 0].copy()
    chosen = np.zeros(best.shape, dtype=np.intp)
    for column in range(1, array.shape[-1]):
        better = array[..., column] > best
        np.maximum(best, array[..., column], out=best)
        chosen[better] = column
    return chosen


def scaled(array: FloatArray, factor: FloatArray) -> FloatArray:
    """Multiply every row by its factor.

    Parameters
    ----------
    array : (..., K) float
    factor : (...) float

    Returns
    -------
    (..., K) float
    """
    if array.shape[-1] > SHORT or array.size <= SMALL:
        return array * factor[..., None]
    result = np.empty_like(array)
    for column in range(array.shape[-1]):
        np.multiply(array[..., column], factor, out=result[..., column])
    return result


def lowered(array: FloatArray, amount: FloatArray) -> FloatArray:
    """Subtract from every row its amount.

    Parameters
    ----------
    array : (..., K) float
    amount : (...) float

    Returns
    -------
    (..., K) float
    """
    if array.shape[-1] > SHORT or array.size <= SMALL:
        return array - amount[..., None]
    result = np.empty_like(array)
    for column in range(array.shape[-1]):
        np.subtract(array[..., column], amount, out=result[..., column])
    return result
