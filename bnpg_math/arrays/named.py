"""Arrays by name: what a policy's parameters are, and the one digest over them."""

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

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


def flat(arrays: Arrays) -> FloatArray:
    """Return all numbers of some arrays as one vector, array by array as they stand.

    Of a single array it is that array, in its own shape.
    """
    if len(arrays) == 1:
        [array] = arrays.values()
        return array
    return np.concatenate([np.ascontiguousarray(array).reshape(-1) for array in arrays.values()])


def shaped(vector: FloatArray, named: Mapping[str, tuple[int, ...]]) -> dict[str, FloatArray]:
    """Return the arrays whose numbers a vector holds: the inverse of :func:`flat` for several.

    Parameters
    ----------
    vector : (P,) float
    named : dict from str to tuple of int
        Names and shapes, in their order.

    Raises
    ------
    ValueError
        If the vector is longer or shorter than all of them.

    Examples
    --------
    >>> import numpy as np
    >>> {name: array.shape for name, array in shaped(np.zeros(5), {"a": (2, 2), "b": (1,)}).items()}
    {'a': (2, 2), 'b': (1,)}
    """
    sizes = [int(np.prod(shape)) for shape in named.values()]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"expected a vector of {sum(sizes)} numbers, got shape {vector.shape}")
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(named.items(), parts, strict=True)}


def packed(groups: Mapping[str, Arrays]) -> NDArray[Any]:
    """Return groups of named arrays as one record: what belongs together is stored and lost together.

    Parameters
    ----------
    groups : dict from str to dict from str to array
        The name of a field is that of its group, a stroke, and its own.
    """
    arrays = {f"{group}/{name}": array for group, named in groups.items() for name, array in named.items()}
    record = np.zeros((), dtype=[(name, "<f8", array.shape) for name, array in arrays.items()])
    for name, array in arrays.items():
        record[name] = array
    return record


def unpacked(record: NDArray[Any]) -> dict[str, dict[str, FloatArray]]:
    """Return the groups of named arrays in a record, read-only."""
    groups: dict[str, dict[str, FloatArray]] = {}
    for field in record.dtype.names or ():
        group, _, name = field.partition("/")
        array: FloatArray = np.array(record[field], order="C")
        array.flags.writeable = False
        groups.setdefault(group, {})[name] = array
    return groups
