"""Squares and products of numbers that may be tiny or huge, so that none is 0 or infinite on the way.

The scale is a power of two: where nothing would be lost without it, every bit is the same.
"""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.left_sum import left_sum

_ORDINARY = 256
"""Places up to which squares need no scale."""


def places_of(largest: float) -> int:
    """Return by how many places numbers up to this are moved before they are squared; 0 for ordinary ones."""
    places = math.frexp(largest)[1]
    return 0 if abs(places) < _ORDINARY else places


def moved(number: float, places: int) -> float:
    """Return number times 2^places; infinite where that is beyond all floats."""
    try:
        return math.ldexp(number, places)
    except OverflowError:
        return math.copysign(math.inf, number)


def product(*powers: tuple[float, int]) -> float:
    """Return the product of powers, from the left, of factors that may be tiny and huge.

    Parameters
    ----------
    powers : (factor, exponent)
        A negative exponent divides.
    """
    found, places = 1.0, 0
    for factor, exponent in powers:
        mantissa, two = math.frexp(factor)
        found = found * mantissa**exponent if exponent > 0 else found / mantissa**-exponent
        places += exponent * two
    return moved(found, places)


def share_of_way(value: float, low: float, high: float) -> float:
    """Return how much of the way from low to high a value is, whose distance may be beyond all floats."""
    half = 1.0 if math.isfinite(high - low) else 0.5
    return (half * value - half * low) / (half * high - half * low)


def length(parts: Sequence[FloatArray]) -> float:
    """Return the Euclidean norm of several arrays together."""
    places = places_of(max((float(np.abs(part).max(initial=0.0)) for part in parts), default=0.0))
    if places:
        parts = [np.ldexp(part, -places) for part in parts]
    return moved(math.sqrt(left_sum(float(np.vdot(part, part)) for part in parts)), places)


def mean(values: FloatArray) -> float:
    """Return the mean of values, whose sum is rounded once and may be beyond all floats."""
    scaled, places = _scaled(values)
    return moved(math.fsum(scaled.tolist()) / values.size, places)


def standard_error(values: FloatArray) -> float:
    """Return that of a mean of at least two values."""
    scaled, places = _scaled(values)
    return moved(float(scaled.std(ddof=1) / math.sqrt(values.size)), places)


def _scaled(values: FloatArray) -> tuple[FloatArray, int]:
    """Return values of an ordinary size, and by how many places they were moved."""
    places = places_of(float(np.abs(values).max()))
    return (np.ldexp(values, -places) if places else values), places
