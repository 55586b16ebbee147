"""Distributions over actions by their logits, one a row, some of them forbidden."""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.short_axis import total
from bnpg_math.policies.interface import Legal
from bnpg_math.policies.softmax import log_policy


def log_probabilities(logits: FloatArray, legal: Legal | None = None) -> FloatArray:
    """Logarithm of the softmax over what may be taken.

    Parameters
    ----------
    logits : (n, A) float
        Finite.
    legal : (n, A) of 0 and 1, optional
        None: all may be taken.

    Returns
    -------
    (n, A) float
        At most 0; minus infinity exactly for what may not be taken.
    """
    rows = logits if legal is None else np.where(legal != 0, logits, -np.inf)
    return log_policy(rows)


def entropy(log_pi: FloatArray) -> FloatArray:
    """Entropy of every row in nats, (n,) float; what may not be taken adds nothing."""
    finite = np.where(np.isneginf(log_pi), 0.0, log_pi)
    return -total(np.exp(log_pi) * finite)


def even(log_pi: FloatArray) -> FloatArray:
    """The even distribution over what may be taken, (n, A) float."""
    may = (~np.isneginf(log_pi)).astype(np.float64)
    return may / total(may)[:, None]
