"""The regularised objective L_lambda (section 4.1)."""

import math
from collections.abc import Sequence

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.learning.regularization import Regularization, per_agent


def barrier(log_tables: Sequence[FloatArray], regularization: Regularization) -> float:
    """The log barrier, -lambda sum_i E_{s, aP uniform} KL(Unif || pi^i(.|s, aP)).

    Parameters
    ----------
    log_tables : sequence of N arrays (S, *P, A_i) float
        log pi^i, from :func:`bnpg_math.policies.softmax.log_policy`: logarithms, since a probability that
        underflows still has a finite one.
    regularization : float or tuple of N float
        lambda >= 0, of everybody or of each.

    Returns
    -------
    float
        At most 0 up to rounding; 0 when every pi^i is uniform.
    """
    if not (any(regularization) if isinstance(regularization, tuple) else regularization):
        return 0.0  # also where a probability is 0 and its logarithm infinite
    divergences = [-float(table.mean()) - math.log(table.shape[-1]) for table in log_tables]
    if isinstance(regularization, tuple):
        weights = per_agent(regularization, len(divergences))
        return -left_sum(weight * divergence for weight, divergence in zip(weights, divergences, strict=True))
    return -regularization * left_sum(divergences)


def objective(value: float, log_tables: Sequence[FloatArray], regularization: Regularization) -> float:
    """L_lambda = V(mu) + barrier.

    Parameters
    ----------
    value : float
        V(mu) of the joint policy.
    log_tables, regularization
        As in :func:`barrier`.

    Returns
    -------
    float
    """
    return value + barrier(log_tables, regularization)
