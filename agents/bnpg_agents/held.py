"""What an agent holds of a round, in one array: its theta, and with momentum the point that was extrapolated.

Both have the same shape, so they are the two fields of a structured array: one file, written and lost as one.
Without momentum it is theta itself, as a plain array.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray

Held = NDArray[Any]
_PAIR = np.dtype([("theta", "<f8"), ("origin", "<f8")])


def held(theta: FloatArray, origin: FloatArray | None) -> Held:
    """Return what is to be stored of a round.

    Parameters
    ----------
    theta : (S, *P, A) float
    origin : (S, *P, A) float, optional
        The point that theta was extrapolated from; None if that is theta itself.

    Returns
    -------
    (S, *P, A) float, or pairs of floats
        Read-only.
    """
    if origin is None:
        return theta
    pair = np.empty(theta.shape, dtype=_PAIR)
    pair["theta"], pair["origin"] = theta, origin
    pair.flags.writeable = False
    return pair


def theta_of(array: Held) -> FloatArray:
    """Return the theta in what is held of a round, read-only as it is."""
    return array if array.dtype.names is None else _part(array, "theta")


def origin_of(array: Held) -> FloatArray | None:
    """Return the point that the theta was extrapolated from; None if that is theta itself."""
    return None if array.dtype.names is None else _part(array, "origin")


def _part(array: Held, name: str) -> FloatArray:
    part: FloatArray = np.ascontiguousarray(array[name])
    part.flags.writeable = False
    return part
