"""Arrays by name: what a policy's parameters are, and the one digest over them."""

import hashlib
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from bnpg_math.arrays import FloatArray

Arrays: TypeAlias = Mapping[str, FloatArray]
"""A policy's theta, a gradient in it, or what an optimiser remembers. Of a table there is one, `theta`."""


def digest(arrays: Arrays) -> str:
    """SHA-256 over some arrays, the first 32 hexadecimal digits: equal bits, equal digest.

    Parameters
    ----------
    arrays : dict from str to array of float
        A single one counts by its bytes alone (little-endian float64, C order); several count by name and
        shape as well, in the order of their names.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> one = np.zeros((2, 2))
    >>> digest({"theta": one}) == digest({"theta": one.copy()})
    True
    >>> digest({"a": one, "b": one + 1}) == digest({"a": one + 1, "b": one})
    False
    """
    hasher = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        if len(arrays) > 1:
            hasher.update(f"{name}{array.shape}".encode())
        hasher.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return hasher.hexdigest()[:32]


def frozen(arrays: Arrays) -> Arrays:
    """Return the same arrays, read-only from now on."""
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
