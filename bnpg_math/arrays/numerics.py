"""Recognising hosts whose floating point differs in a bit.

A run promises bit-identical results on any number of hosts. IEEE arithmetic is the same everywhere, but
`exp`, `log`, `tanh` and the order of sums depend on numpy's vectorised kernels, products of matrices on those
of its BLAS, and Python's powers and logarithms on the C library, hence on versions, images and the
processor. Hosts compare fingerprints before a run, and a run that goes on compares that of the host on which
it began, instead of disagreeing in the middle of it.

This is what an agent computes with: numpy alone. The solvers of exact evaluation are in `solver_numerics`.
"""

import hashlib
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from bnpg_math.arrays import FloatArray


def irregular(count: int) -> FloatArray:
    """Numbers in (0, 1) that are the same everywhere, and have all their digits.

    Parameters
    ----------
    count : int

    Returns
    -------
    (count,) float
    """
    # A Weyl sequence: exact in integers, so that the inputs themselves agree.
    integers = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(11400714819323198485)) >> np.uint64(11)
    return integers.astype(np.float64) * 2.0**-53


def probe() -> FloatArray:
    """The results whose bits are compared: elementary functions, sums and products of the shapes in use.

    Returns
    -------
    (K,) float
    """
    unit = irregular(4097)
    logits = 40.0 * unit - 20.0
    exponentials = np.exp(logits)
    table = exponentials[:4096].reshape(64, 8, 8)
    parts = [
        exponentials,
        np.log(unit),
        np.log1p(-unit),
        np.tanh(0.25 * logits),
        table.sum(axis=-1).reshape(-1),
        table.sum(axis=(0, 2)),
        np.cumsum(table, axis=-1).reshape(-1),
        (table / table.sum(axis=-1, keepdims=True)).reshape(-1),
        np.array([exponentials.sum(), logits.sum()]),
        *_products(unit),
        *_tiles(unit),
        *_of_the_c_library(unit.tolist()),
    ]
    return np.concatenate(parts)


def _products(unit: FloatArray) -> list[FloatArray]:
    """Products of odd and even sizes.

    None is so large that BLAS would share it among threads, whose number may differ from process to process.
    """
    parts = []
    for rows, inner, columns in (
        (1, 32, 32),
        (5, 2, 3),
        (32, 32, 2),
        (31, 33, 29),
        (40, 40, 40),
        (48, 64, 16),
    ):
        left = unit[: rows * inner].reshape(rows, inner)
        right = unit[-inner * columns :].reshape(inner, columns) - 0.5
        parts += [left @ right, right.T @ left.T, left @ right[:, 0], right.T @ left[0], left[:, :2].T @ left]
    kernel = unit[:4096].reshape(16, 4, 8, 8)
    policy = unit[:512].reshape(16, 4, 8)
    parts += [
        np.matmul(policy, kernel[:, 0]),
        kernel @ unit[:8],
        np.einsum("sabt,sab->st", kernel, policy),
        np.einsum("ab,cb->ca", kernel[0, 0], kernel[1, 0]),
        np.tensordot(policy, kernel, axes=([1, 2], [1, 2])),
        np.vecdot(kernel.reshape(16, -1), unit[:256]),
        np.array([np.vdot(unit[:1000], unit[1000:2000]), np.linalg.norm(unit[:1000] - 0.5)]),
    ]
    return [part.reshape(-1) for part in parts]


def _tiles(unit: FloatArray) -> list[FloatArray]:
    """Products of 64 rows, as networks make them, forward and back.

    64 x 64 x 64 is the largest product that BLAS never shares among threads.
    """
    parts = []
    for inner, columns in ((64, 64), (64, 5), (9, 64), (33, 16)):
        rows = unit[: 64 * inner].reshape(1, 64, inner) - 0.5
        matrix = unit[-inner * columns :].reshape(columns, inner) - 0.5
        reached = np.matmul(rows, matrix.T)
        parts += [reached, np.tanh(reached), reached[0].T @ rows[0], reached[0] @ matrix]
    return [part.reshape(-1) for part in parts]


def _of_the_c_library(unit: list[float]) -> list[FloatArray]:
    """Powers and logarithms as Python takes them, and the one function of numpy that always does.

    Where two libraries differ, they do in few of these values: one of thousands.
    """
    return [
        np.array([base**exponent for base in (0.9, 0.95, 0.99) for exponent in range(1, 500)]),
        np.array([number**7 for number in unit]),
        np.array([*map(math.log, unit), *map(math.log1p, unit), *map(math.exp, unit)]),
        np.logaddexp(0.0, 60.0 * np.array(unit) - 30.0),
    ]


@cache
def fingerprint() -> str:
    """Short digest of this host's floating point, as far as numpy goes.

    Returns
    -------
    str
        16 hexadecimal digits of a SHA-256; equal on hosts that agree in every bit of :func:`probe`.
    """
    return digest_of([probe()])


def digest_of(results: Sequence[FloatArray]) -> str:
    """16 hexadecimal digits over the bits of some results."""
    hasher = hashlib.sha256()
    for result in results:
        hasher.update(np.ascontiguousarray(result, dtype="<f8").tobytes())
    return hasher.hexdigest()[:16]
