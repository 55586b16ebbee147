"""Sums of Python's numbers that round alike on every Python.

From 3.12 on the built-in `sum` of floats keeps what rounding loses, and before it did not: what rests on it
differs between versions in its last bit. Whatever decides a result, or stands in a record, is added here.
"""

from collections.abc import Iterable


def left_sum(numbers: Iterable[float]) -> float:
    """Return the sum from the left, rounded after each addition.

    Parameters
    ----------
    numbers : iterable of float

    Examples
    --------
    >>> left_sum([1e16, 1.0, 1.0])
    1e+16
    """
    total = 0.0
    for number in numbers:
        total += number
    return total
