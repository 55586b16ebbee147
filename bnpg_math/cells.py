"""Positions of lanes in a table: mixed-radix numbers, computed in the smallest integers that hold them."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from bnpg_math.arrays import IntArray


def cells(coordinates: Sequence[IntArray], shape: Sequence[int]) -> IntArray:
    """Flat position, in C order, of every lane's coordinates.

    `np.ravel_multi_index` without its checks and its 64-bit arithmetic, several times as fast. Coordinates
    come from where they were made or were checked at the door; they are not checked again here.

    Parameters
    ----------
    coordinates : sequence of K >= 1 arrays (B,) int
        Each in its range.
    shape : sequence of K int
        Lengths of the axes.

    Returns
    -------
    (B,) unsigned int
        In 0..prod(shape)-1. A new array.
    """
    dtype, lengths = _integers(tuple(shape))
    flat = coordinates[0].astype(dtype)
    for values, length in zip(coordinates[1:], lengths, strict=True):
        flat *= length
        flat += values if values.dtype == dtype else values.astype(dtype)
    return flat


@lru_cache(maxsize=1024)
def _integers(shape: tuple[int, ...]) -> tuple[np.dtype[Any], list[Any]]:
    """The integers that hold all positions of a shape, and the lengths of the later axes as such."""
    dtype = np.min_scalar_type(math.prod(shape))
    return dtype, [dtype.type(length) for length in shape[1:]]
