"""Means within strata: what is usual where all lanes see the same."""

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray


def means(amounts: FloatArray, strata: IntArray, n_strata: int) -> FloatArray:
    """Return the mean amount of every stratum, and where a stratum does not occur that of all.

    Parameters
    ----------
    amounts : (K,) float
        Summed in the order given.
    strata : (K,) int
        In 0..n_strata-1.
    n_strata : int

    Returns
    -------
    (n_strata,) float
        Zeros if there is no amount.
    """
    visits = np.bincount(strata, minlength=n_strata)
    sums = np.bincount(strata, weights=amounts, minlength=n_strata)
    found: FloatArray = np.where(visits > 0, sums / np.maximum(visits, 1), sums.sum() / max(1, amounts.size))
    return found
