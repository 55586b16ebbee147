"""Positions of lanes in a table: mixed-radix numbers, computed in the smallest integers that hold them."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from bnpg_math.arrays import IntArray

FEW = 16
"""Lanes that are faster counted one by one than as an array: what counts is that the code is short."""


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
    if len(coordinates[0]) <= FEW:
        return np.array(places(coordinates, shape), dtype)
    flat = coordinates[0].astype(dtype)
    for values, length in zip(coordinates[1:], lengths, strict=True):
        flat *= length
        flat += values if values.dtype == dtype else values.astype(dtype)
    return flat


def places(coordinates: Sequence[IntArray], shape: Sequence[int]) -> list[int]:
    """The same positions as :func:`cells`, one by one; axes of `shape` without coordinates are left out."""
    if len(coordinates[0]) == 1:  # a third of the time with one parent, a tenth with thirty
        place: int = coordinates[0].item()
        for values, length in zip(coordinates[1:], shape[1:], strict=False):
            place = place * length + values.item()
        return [place]
    flat: list[int] = coordinates[0].tolist()
    for values, length in zip(coordinates[1:], shape[1:], strict=False):
        flat = [place * length + value for place, value in zip(flat, values.tolist(), strict=True)]
    return flat


def within(coordinates: IntArray, length: int) -> bool:
    """Whether there is a coordinate, and all are in the range of an axis.

    Parameters
    ----------
    coordinates : (B,) unsigned int
    length : int
        Of the axis.
    """
    if len(coordinates) <= FEW:
        return len(coordinates) > 0 and max(coordinates.tolist()) < length
    # Finding the largest is cheaper than asking for it: `max` goes through Python.
    return bool(coordinates[coordinates.argmax()] < length)


@lru_cache(maxsize=1024)
def _integers(shape: tuple[int, ...]) -> tuple[np.dtype[Any], list[Any]]:
    """The integers that hold all positions of a shape, and the lengths of the later axes as such."""
    dtype = np.min_scalar_type(math.prod(shape))
    return dtype, [dtype.type(length) for length in shape[1:]]
