"""Sums and products with twice the digits: a number is an unevaluated sum of two doubles.

Knuth's sum and Dekker's product lose nothing; what is not carried is about 2^-104 of the terms.
"""

from typing import NamedTuple

from bnpg_math.arrays import FloatArray

_SPLITTER = 2.0**27 + 1.0


class Pair(NamedTuple):
    """``high`` + ``low``, of the same shape."""

    high: FloatArray
    low: FloatArray

    def rounded(self) -> FloatArray:
        """Return the nearest doubles, almost."""
        return self.high + self.low


def two_sum(a: FloatArray, b: FloatArray) -> Pair:
    """A + b, exactly."""
    total = a + b
    other = total - a
    return Pair(total, (a - (total - other)) + (b - other))


def two_product(a: FloatArray, b: FloatArray) -> Pair:
    """A b, exactly unless a part underflows; factors must be below 2^996."""
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return Pair(product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low)


def _split(a: FloatArray) -> Pair:
    """26 bits each."""
    large = a * _SPLITTER
    high = large - (large - a)
    return Pair(high, a - high)


def add(a: Pair, b: Pair) -> Pair:
    """A + b."""
    total = two_sum(a.high, b.high)
    low = total.low + (a.low + b.low)
    return two_sum(total.high, low)


def scaled(a: Pair, factor: FloatArray) -> Pair:
    """Multiply by doubles."""
    product = two_product(a.high, factor)
    return two_sum(product.high, product.low + a.low * factor)


def total(terms: Pair) -> Pair:
    """Sum over the last axis.

    Parameters
    ----------
    terms : Pair of (..., K) float

    Returns
    -------
    Pair of (...) float
    """
    high, low = terms.high[..., 0], terms.low[..., 0]
    for column in range(1, terms.high.shape[-1]):
        summed = two_sum(high, terms.high[..., column])
        high, low = summed.high, low + (summed.low + terms.low[..., column])
    return two_sum(high, low)
