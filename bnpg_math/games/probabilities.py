"""Taking in, where a table enters the program, rows that are to be probability distributions.

A row that sums to 1 up to the rounding of float64 is used as it is, to the bit. One that is off by no more
than the precision of its own numbers (float32, float16, or printed with a few digits) is divided by its sum,
and a notice says so. Anything further off is refused. So no row that does not sum to 1 is ever computed with:
it would count 1 / (1 - gamma) times (docs/decisions/0017-rows-are-divided-by-their-sums.md).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.errors import InputError

TOLERANCE = 1e-8
"""How far a row of float64 numbers may sum from 1, whatever they look like."""
COARSEST = 0.01
"""How far any row may, however coarse its numbers."""
SILENT = 1e-12
"""A row nearer to 1 than this was summed in another order, and is divided without a notice."""
_FEWEST_DIGITS, _MOST_DIGITS = 3, 12
_EPS = float(np.finfo(np.float64).eps)


def place(name: str, index: int, shape: tuple[int, ...]) -> str:
    """Name one entry of a table as a person would: ``reward[3, 0]``, or just the name of a scalar.

    Parameters
    ----------
    name : str
        The table.
    index : int
        Flat position in C order.
    shape : tuple of int
        Shape the position belongs to.

    Returns
    -------
    str
    """
    if not shape:
        return name
    return f"{name}[{', '.join(str(int(i)) for i in np.unravel_index(index, shape))}]"


def check_finite(table: FloatArray, name: str, error: type[InputError]) -> None:
    """Refuse NaN and infinity.

    Parameters
    ----------
    table : float array
        Any shape.
    name : str
        Used in the message.
    error : type
        Class of the exception.

    Raises
    ------
    InputError
        Of the class `error`, naming the first such entry.
    """
    finite = np.isfinite(table)
    if not finite.all():
        index = int(np.argmin(finite))
        raise error(f"{place(name, index, table.shape)} must be finite, got {table.reshape(-1)[index]}")


def distributions(table: FloatArray, name: str, error: type[InputError]) -> tuple[FloatArray, str]:
    """Make the rows (over the last axis) of a table distributions.

    Parameters
    ----------
    table : (..., K) float
        Finite, non-negative; every row sums to 1 within the precision of its numbers.
    name : str
        Used in messages.
    error : type
        Class of the exception.

    Returns
    -------
    table : (..., K) float
        The very numbers that came where a row sums to 1 up to rounding (`rounding_of`); other rows are
        divided by their sums.
    notice : str
        What was done, for the person; empty if nothing, or nothing but rounding.

    Raises
    ------
    InputError
        Of the class `error`, naming the first offending entry or row.
    """
    table = np.asarray(table, dtype=np.float64)
    check_finite(table, name, error)
    negative = table < 0.0
    if negative.any():
        index = int(np.argmax(negative))
        raise error(
            f"{place(name, index, table.shape)} must not be negative, got {table.reshape(-1)[index]:g}"
        )
    sums = np.asarray(table.sum(axis=-1))
    off = np.abs(sums - 1.0) > rounding_of(table.shape[-1])
    if not off.any():
        return table, ""
    rows = table[off]
    notice = _judge(rows, sums, off, name, error)
    divided = table.copy()
    divided[off] = rows / sums[off][..., None]
    divided.setflags(write=False)
    return divided, notice


def sparse_distributions(
    data: FloatArray, starts: NDArray[Any], shape: tuple[int, ...], name: str, error: type[InputError]
) -> tuple[FloatArray, str]:
    """:func:`distributions` of rows that hold only their non-zero entries, laid end to end.

    Parameters
    ----------
    data : (M,) float
        All entries, finite and not negative.
    starts : (rows + 1,) int
        Where each row begins, and the end.
    shape : tuple of int
        By which a person counts the rows, such as (S, A_1, .., A_N).
    name : str
        Used in messages.
    error : type
        Class of the exception.

    Returns
    -------
    data : (M,) float
    notice : str

    Raises
    ------
    InputError
        Of the class `error`, naming the first offending row.
    """
    lengths = np.diff(starts)
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    sums = np.bincount(row_of, weights=data, minlength=len(lengths)).astype(np.float64)
    off = np.abs(sums - 1.0) > rounding_of(lengths)
    if not off.any():
        return data, ""
    rows = np.zeros((int(off.sum()), max(int(lengths[off].max()), 1)))
    filled = np.arange(rows.shape[1]) < lengths[off][:, None]
    rows[filled] = data[off[row_of]]
    notice = _judge(rows, sums.reshape(shape), off.reshape(shape), name, error)
    divisor: FloatArray = np.where(off, sums, 1.0)[row_of]
    return data / divisor, notice


def rounding_of(length: Any) -> Any:
    """How far the sum of so many float64 numbers that sum to 1 may be off by rounding alone.

    A row divided by its sum is within it, so dividing twice changes nothing.
    """
    return np.maximum(length, 4) * _EPS


def _judge(
    rows: FloatArray, sums: FloatArray, off: NDArray[np.bool_], name: str, error: type[InputError]
) -> str:
    """Refuse rows that are further off than their numbers allow; say what is done with the others."""
    distance = np.abs(sums[off] - 1.0)
    near = distance <= COARSEST
    allowed = np.zeros(len(rows))
    allowed[near] = _precision(rows[near])
    places = np.flatnonzero(off.reshape(-1))
    refused = distance > allowed
    if refused.any():
        first = int(np.argmax(refused))
        where, total = place(name, int(places[first]), off.shape), sums[off][first]
        hint = f"; its numbers allow {allowed[first]:.1g}" if near[first] else ""
        raise error(f"{where} must sum to 1, got {total:.12g}{hint}")
    worst = int(np.argmax(distance))
    if distance[worst] <= SILENT:
        return ""
    where, total = place(name, int(places[worst]), off.shape), sums[off][worst]
    rows_text = f"{len(rows)} of {off.size} rows" if off.shape else "the numbers"
    return (
        f"{rows_text} of {name} sum to 1 only within the precision of their numbers and were divided "
        f"by their sums (furthest off: {where}, {total:.12g})"
    )


def _precision(rows: FloatArray) -> FloatArray:
    """How far each row may be off, by the coarsest format that holds all its numbers.

    Parameters
    ----------
    rows : (n, K) float
        In [0, 2).

    Returns
    -------
    (n,) float
        In `TOLERANCE`..`COARSEST`.
    """
    counts = np.count_nonzero(rows, axis=1)
    allowed = np.full(len(rows), TOLERANCE)
    for dtype in (np.float32, np.float16):
        held = (rows.astype(dtype) == rows).all(axis=1)
        # One rounding of each number, and as many of the sum that they were divided by.
        bound = (counts + 1) * float(np.finfo(dtype).eps)
        allowed = np.where(held, np.maximum(allowed, bound), allowed)
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS + 1):
        printed = np.rint(rows * 10.0**digits) / 10.0**digits
        held = ((printed == rows) | (printed.astype(np.float32) == rows)).all(axis=1)
        # Half a digit each; all of them in full at once is no rounding but a mistake.
        bound = counts * (0.5 - 1e-9) * 10.0**-digits
        allowed = np.where(held, np.maximum(allowed, bound), allowed)
    result: FloatArray = np.minimum(allowed, COARSEST)
    return result


def frozen(array: FloatArray) -> FloatArray:
    """A read-only C-contiguous float64 array that nobody else can write to.

    Parameters
    ----------
    array : float array
        Copied only if it is writable or needs conversion.

    Returns
    -------
    float array
    """
    owned = np.ascontiguousarray(array, dtype=np.float64)
    if owned.flags.writeable:
        # Even when nothing had to be converted, the caller may still hold a writable reference.
        owned = owned.copy() if owned is array or owned.base is not None else owned
        owned.setflags(write=False)
    return owned


def averaged_over_next(probabilities: FloatArray, reward: FloatArray) -> tuple[FloatArray, str]:
    """Return r(s, a), the mean of r(s, a, s') over the next state, and the notice that says so.

    Parameters
    ----------
    probabilities, reward : (.., K) float
        Of the states that may follow, and what is earned on the way to them.
    """
    notice = "reward is one of r(s, a, s') and was averaged over the next state"
    return np.vecdot(probabilities, reward), notice
