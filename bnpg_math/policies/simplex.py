"""The nearest distribution to a row of numbers: Euclidean projection onto the probability simplex.

The projection of x is max(x - tau, 0) with the one tau at which that sums to 1 (Held, Wolfe & Crowder,
Mathematical Programming 6, 1974; proved in docs/theory/baselines.md). With the entries sorted from the
largest, x_(1) >= x_(2) >= .., the k largest stay positive, where k is the last with
x_(k) > (x_(1) + .. + x_(k) - 1) / k.
"""

import numpy as np

from bnpg_math.arrays import FloatArray


def nearest_distributions(rows: FloatArray) -> FloatArray:
    """Project every row onto the simplex.

    Parameters
    ----------
    rows : (..., A) float
        Finite. Adding a constant to a row changes nothing.

    Returns
    -------
    (..., A) float
        New; not negative; every row sums to 1 up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> nearest_distributions(np.array([[0.75, 0.75], [2.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    # Below the largest entry: what stays positive is in (-1, 0] then, and is summed without losing digits.
    lower = rows - rows.max(axis=-1, keepdims=True)
    ordered = -np.sort(-lower, axis=-1)
    # Entries further down than 1 cannot stay; huge ones would only drown the sums.
    sums = np.cumsum(np.maximum(ordered, -1.0), axis=-1)
    taus = (sums - 1.0) / np.arange(1, rows.shape[-1] + 1)
    count = np.count_nonzero(ordered > taus, axis=-1, keepdims=True)
    kept = np.maximum(lower - np.take_along_axis(taus, count - 1, axis=-1), 0.0)
    nearest: FloatArray = kept / kept.sum(axis=-1, keepdims=True)
    return nearest
