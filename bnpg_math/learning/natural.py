"""Natural policy gradient, split so that an agent needs only two shared tensors and its own policy.

The Fisher matrix of a product of tabular softmax policies is block-diagonal: agent i's block of the row
(s, aP) is w (diag pi - pi pi^T) with w = d(s) pi(aP|s), how often the row is met. Its pseudo-inverse turns
the policy gradient w pi A into the advantage A of the agent's own actions, averaged over the others (Kakade,
NIPS 2001; Agarwal et al., JMLR 22, 2021, Lemma 15). Since `d` is unnormalised here, a step size eta is what
is written eta / (1 - gamma) there.

The log barrier has a Hessian of that very form: in the row it is -lambda_r (diag pi - pi pi^T) with
lambda_r = lambda / (S |A_P|), the Fisher matrix of rows that are all met equally often. So the metric of
L_lambda is (w + lambda_r) (diag pi - pi pi^T): the direction stays bounded in rows that are never met, and is
Kakade's for lambda = 0.
"""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.short_axis import lowered, scaled, total

RAREST = 1e-12
"""Probability below which an action is scaled as if it had this one: 1/pi must stay a number."""


def natural_direction(
    gradient: FloatArray, pi: FloatArray, visits: FloatArray, regularization: float
) -> FloatArray:
    """The natural gradient of L_lambda in one agent's logits.

    Every entry of the gradient is scaled by a number that is not negative, and rows are shifted; so the
    direction never points downhill.

    Parameters
    ----------
    gradient : (S, *P, A) float
        dL_lambda/dtheta^i; rows sum to zero.
    pi : (S, *P, A) float
        The agent's policy.
    visits : (S, *P, A) float
        d(s) pi(aP, ai|s): the occupancy, summed over the agents outside the family.
    regularization : float
        lambda >= 0.

    Returns
    -------
    (S, *P, A) float
        The advantage A^i(s, aP, ai) plus the barrier's share, every row shifted to sum to zero; 0 in rows
        that are never met when lambda is 0.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if not gradient.shape == pi.shape == visits.shape:
        raise ValueError(
            "gradient, policy and visits must share a shape, "
            f"got {gradient.shape}, {pi.shape} and {visits.shape}"
        )
    weight = total(visits) + regularization * pi.shape[-1] / pi.size
    inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
    direction = scaled(gradient / np.maximum(pi, RAREST), inverse)
    return lowered(direction, total(direction) / pi.shape[-1])
