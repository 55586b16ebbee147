"""Doubles as integers times a power of two, in arrays of Python's own integers."""

import math
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray

IntegerArray: TypeAlias = NDArray[Any]
"""Arrays of dtype object whose entries are Python integers."""


class Integers(NamedTuple):
    """``values`` times 2^-``bits`` are the numbers, exactly."""

    values: IntegerArray
    bits: int


class Rows(NamedTuple):
    """Rows of probabilities, times 2^``bits``, which is what they sum to over the last axis.

    ``lost``: the sum over a row of what rounding changed, at most; 0 if nothing was rounded.
    """

    values: IntegerArray
    bits: int
    lost: Fraction


def as_integers(array: FloatArray) -> Integers:
    """Convert finite doubles exactly.

    Parameters
    ----------
    array : float array

    Returns
    -------
    Integers
        Of the same shape.
    """
    mantissa, exponent = np.frexp(array.reshape(-1))
    whole: list[int] = (mantissa * 2.0**53).astype(np.int64).tolist()
    places: list[int] = (53 - exponent).tolist()
    # Zeros at the end of the mantissas are not carried along.
    needed = [
        place + 1 - (number & -number).bit_length()
        for number, place in zip(whole, places, strict=True)
        if number
    ]
    bits = max(0, max(needed, default=0))
    found = np.empty(len(whole), dtype=object)
    found[:] = [
        number << bits - place if bits >= place else number >> place - bits
        for number, place in zip(whole, places, strict=True)
    ]
    return Integers(found.reshape(array.shape), bits)


def normalised(rows: Integers, guard: int) -> Rows:
    """Divide every row by its exact sum.

    Parameters
    ----------
    rows : Integers
        (R, K), non-negative; every row has a positive entry.
    guard : int
        Bits beyond the smallest positive entry, where the quotients must be rounded.

    Returns
    -------
    Rows
        Exact, at the precision of the rows, if every row sums to 1 already.
    """
    sums = rows.values.sum(axis=-1)
    if (sums == 1 << rows.bits).all():
        return Rows(rows.values, rows.bits, Fraction(0))
    bits = guard + _finest(rows)
    return _completed((rows.values << bits) // sums[:, None], bits)


def rounded(rows: Rows, guard: int) -> Rows:
    """Keep fewer digits, but so many bits beyond the smallest positive entry.

    Parameters
    ----------
    rows : Rows
        (R, K).
    guard : int

    Returns
    -------
    Rows
    """
    bits = guard + _finest(rows)
    return rows if bits >= rows.bits else _completed(rows.values >> rows.bits - bits, bits)


def _finest(rows: Integers | Rows) -> int:
    """Binary places of the smallest positive entry."""
    smallest: int = min(entry for entry in rows.values.reshape(-1).tolist() if entry)
    return max(0, rows.bits + 1 - smallest.bit_length())


def _completed(values: IntegerArray, bits: int) -> Rows:
    """Add to the largest entry of each row what rounding down has lost; changes `values`."""
    largest = values.argmax(axis=-1)
    values[np.arange(len(values)), largest] += (1 << bits) - values.sum(axis=-1)
    return Rows(values, bits, Fraction(2 * values.shape[-1], 1 << bits))


def smallest_exponent(array: FloatArray) -> int:
    """Binary places of the smallest positive entry; at least 0."""
    positive = array[array > 0.0]
    return max(0, 1 - math.frexp(float(positive.min()))[1]) if positive.size else 0


def aligned(array: FloatArray, centre: Fraction, exponent: int) -> IntegerArray:
    """(array - centre) / 2^exponent, rounded down.

    Parameters
    ----------
    array : float array
    centre : Fraction
        A dyadic number.
    exponent : int
    """
    whole = as_integers(np.ascontiguousarray(array))
    bits = centre.denominator.bit_length() - 1
    common = max(whole.bits, bits)
    shifted = (whole.values << (common - whole.bits)) - int(centre * (1 << common))
    return floored(shifted, common + exponent)


def floored(values: IntegerArray, shift: int) -> IntegerArray:
    """Divide by 2^shift and round down; a negative shift multiplies."""
    result: IntegerArray = values >> shift if shift >= 0 else values << -shift
    return result


def chosen(table: IntegerArray, best: NDArray[Any], improves: NDArray[np.bool_], bits: int) -> IntegerArray:
    """The table with the rows that improve put on one action.

    Parameters
    ----------
    table : (..., K) integers
    best : (...) int
    improves : (...) bool
    bits : int
        1 is 2^bits.
    """
    result = table.copy()
    for action in range(table.shape[-1]):
        result[..., action][improves & (best == action)] = 1 << bits
        result[..., action][improves & (best != action)] = 0
    return result


def as_float(number: Fraction) -> float:
    """The nearest double; infinite where it is too large."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def upwards(number: Fraction) -> float:
    """The smallest double that is at least a number."""
    nearest = as_float(number)
    if math.isfinite(nearest) and Fraction(nearest) < number:
        return math.nextafter(nearest, math.inf)
    return nearest
