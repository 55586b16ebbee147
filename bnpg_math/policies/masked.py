"""The table of a softmax where some actions are forbidden: drawing from it, and its score.

pi(a | ..) = exp(theta_a) / sum over what may be taken of exp(theta_b), and 0 for what may not. So
d log pi(a) / d theta_b = 1{a = b} - pi(b): zero for what may not be taken.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.sampling import cumulative, invert
from bnpg_math.policies.categorical import log_probabilities
from bnpg_math.policies.interface import Legal

# Lane steps that are summed at once: few enough to stay in a core's cache on their way.
_AT_ONCE = 1 << 12


def draw_masked(
    log_table: FloatArray,
    states: IntArray,
    parents: Sequence[IntArray],
    uniforms: FloatArray,
    legal: Legal,
) -> IntArray:
    """Draw an action that may be taken in every lane, by inverse CDF.

    Parameters
    ----------
    log_table : (S, *P, A) float
    states : (n,) int
    parents : sequence of k arrays (n,) int
    uniforms : (n,) float
        In [0, 1).
    legal : (n, A) of 0 and 1

    Returns
    -------
    (n,) int
        Never one whose mask is 0.
    """
    actions = log_table.shape[-1]
    rows = cells((states, *parents), log_table.shape[:-1])
    shares = np.exp(log_probabilities(log_table.reshape(-1, actions)[rows], legal))
    return invert(cumulative(shares), np.arange(len(uniforms)), uniforms)


def masked_scores(
    log_table: FloatArray,
    states: IntArray,
    parents: Sequence[IntArray],
    actions: IntArray,
    weights: FloatArray,
    legal: Legal,
) -> FloatArray:
    """Return sum_k w_k d log pi(a_k | ..) / d theta of the masked policy.

    Parameters
    ----------
    log_table : (S, *P, A) float
    states, actions : (K,) int
        All visited steps, laid end to end.
    parents : sequence of k arrays (K,) int
    weights : (K,) float
    legal : (K, A) of 0 and 1

    Returns
    -------
    (S, *P, A) float
        Summed in the order given, hence the same bits in every process.
    """
    shape = log_table.shape
    table = log_table.reshape(-1, shape[-1])
    sums = np.zeros_like(table)
    for start in range(0, len(weights), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        rows = cells([column[part] for column in (states, *parents)], shape[:-1]).astype(np.intp)
        scores = -np.exp(log_probabilities(table[rows], legal[part]))
        scores[np.arange(len(rows)), actions[part]] += 1.0
        np.add.at(sums, rows, weights[part, None] * scores)
    return sums.reshape(shape)
