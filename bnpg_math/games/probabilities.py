"""Checking, where a table enters the program, that its rows are probability distributions."""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.errors import InputError

TOLERANCE = 1e-8
"""How far a row may sum from 1: a file written from float32 arithmetic passes only if it was renormalised."""


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


def check_distributions(table: FloatArray, name: str, error: type[InputError]) -> None:
    """Refuse a table whose rows (over the last axis) are not distributions.

    Parameters
    ----------
    table : (..., K) float
        Finite, non-negative, summing to 1 within `TOLERANCE` over the last axis.
    name : str
        Used in the message.
    error : type
        Class of the exception.

    Raises
    ------
    InputError
        Of the class `error`, naming the first offending entry or row.
    """
    check_finite(table, name, error)
    negative = table < 0.0
    if negative.any():
        index = int(np.argmax(negative))
        raise error(
            f"{place(name, index, table.shape)} must not be negative, got {table.reshape(-1)[index]:g}"
        )
    check_sums(table.sum(axis=-1), name, error)


def check_sums(sums: FloatArray, name: str, error: type[InputError]) -> None:
    """Refuse rows that do not sum to 1.

    Parameters
    ----------
    sums : (...) float
        Sum of every row.
    name : str
        Used in the message.
    error : type
        Class of the exception.

    Raises
    ------
    InputError
        Of the class `error`, naming the first offending row.
    """
    off = np.abs(np.asarray(sums) - 1.0) > TOLERANCE
    if off.any():
        index = int(np.argmax(off))
        total = np.asarray(sums).reshape(-1)[index]
        raise error(f"{place(name, index, np.shape(sums))} must sum to 1, got {total:.12g}")


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
