"""The tile rule: how a row of a matrix product comes out the same, whatever rows are beside it.

BLAS chooses another kernel, hence another order of sums, for another number of rows; a row on its own has
other last bits than the same row among many. So rows go through a network in whole tiles of `TILE` rows, the
last one filled up with zeros, and row l is row l mod `TILE` of its tile. Then what comes out for it depends
on the row and on that place alone. Parts of the lanes that begin at multiples of `TILE` give what all of
them at once do; lanes that begin elsewhere may differ in a last digit.
"""

import numpy as np

from bnpg_math.arrays import FloatArray

TILE = 64
"""Rows of a tile. Part of the result of a run: never change it."""
CHUNK = 16 * TILE
"""Rows that go through a network at once: what is kept of them on the way stays in a core's cache."""


def padded(rows: FloatArray) -> FloatArray:
    """Fill rows up with zeros to whole tiles.

    Parameters
    ----------
    rows : (n, ..) float

    Returns
    -------
    (m, ..) float
        C-contiguous; m is the smallest multiple of `TILE` that is at least n. The same array if that is n.

    Examples
    --------
    >>> import numpy as np
    >>> padded(np.ones((65, 2))).shape
    (128, 2)
    """
    missing = -len(rows) % TILE
    if not missing:
        return np.ascontiguousarray(rows)
    whole = np.zeros((len(rows) + missing, *rows.shape[1:]))
    whole[: len(rows)] = rows
    return whole


def product(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Multiply every tile of rows with a matrix on its own.

    Parameters
    ----------
    rows : (m, D) float
        From :func:`padded`.
    matrix : (D, K) float

    Returns
    -------
    (m, K) float
    """
    tiles: FloatArray = rows.reshape(-1, TILE, rows.shape[1])
    multiplied: FloatArray = np.matmul(tiles, matrix)
    return multiplied.reshape(len(rows), matrix.shape[1])
