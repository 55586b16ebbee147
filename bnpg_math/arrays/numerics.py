"""Recognising hosts whose floating point differs in a bit.

A run promises bit-identical results on any number of hosts. IEEE arithmetic is the same everywhere, but
`exp`, `log` and the order of sums depend on numpy's vectorised kernels, hence on its version and on the
processor. Hosts compare fingerprints before a run instead of disagreeing in the middle of it.
"""

import hashlib

import numpy as np

from bnpg_math.arrays import FloatArray


def probe() -> FloatArray:
    """The results whose bits are compared: exp, log, sums and divisions over a fixed vector.

    Returns
    -------
    (K,) float
    """
    # A Weyl sequence: irregular, and exact in integers so that the inputs themselves agree.
    integers = (np.arange(1, 4098, dtype=np.uint64) * np.uint64(11400714819323198485)) >> np.uint64(11)
    unit = integers.astype(np.float64) * 2.0**-53
    logits = 40.0 * unit - 20.0
    exponentials = np.exp(logits)
    table = exponentials[:4096].reshape(64, 8, 8)
    parts = [
        exponentials,
        np.log(unit),
        np.log1p(-unit),
        table.sum(axis=-1).reshape(-1),
        table.sum(axis=(0, 2)),
        np.cumsum(table, axis=-1).reshape(-1),
        (table / table.sum(axis=-1, keepdims=True)).reshape(-1),
        np.array([exponentials.sum(), logits.sum()]),
    ]
    return np.concatenate(parts)


def fingerprint() -> str:
    """Short digest of this host's floating point.

    Returns
    -------
    str
        16 hexadecimal digits of a SHA-256; equal on hosts that agree in every bit of :func:`probe`.
    """
    return hashlib.sha256(probe().astype("<f8").tobytes()).hexdigest()[:16]
