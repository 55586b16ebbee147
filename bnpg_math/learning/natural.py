"""Natural policy gradient, split so that an agent needs only its own part of the signal and its own policy.

The Fisher matrix of a product of tabular softmax policies is block-diagonal: agent i's block of the row
(s, aP) is w (diag pi - pi pi^T) with w = d(s) pi(aP|s), how often the row is met. Its pseudo-inverse turns
the policy gradient w pi A into the advantage A of the agent's own actions, averaged over the others (Kakade,
NIPS 2001; Agarwal et al., JMLR 22, 2021, Lemma 15). Since `d` is unnormalised here, a step size eta is what
is written eta / (1 - gamma) there. With the complete DAG and without a barrier no step of any size lowers the
value (docs/theory/natural-gradient.md).

The log barrier has a Hessian of that very form: in the row it is -lambda_r (diag pi - pi pi^T) with
lambda_r = lambda / (S |A_P|), the Fisher matrix of rows that are all met equally often. So the metric of
L_lambda is (w + lambda_r) (diag pi - pi pi^T): the direction stays bounded in rows that are never met, and is
Kakade's for lambda = 0.

Every agent's advantages come in one table, side by side: (S, K) with K = sum_i |A_P| |A_i|.
"""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.short_axis import lowered, scaled, total

FEW = 8.0
"""Steps that are added to those in which a row was met, when it is estimated from samples."""
RARE = 0.02
"""Probability below which a sampled direction is scaled as if the action had this one."""
RAREST = 1e-12
"""Probability below which a barrier pulls at an action as if it had this one: 1/pi must stay a number."""


def natural_direction(
    advantage: FloatArray, pi: FloatArray, visits: FloatArray, regularization: float
) -> FloatArray:
    """The natural gradient of L_lambda in one agent's logits.

    Every entry of the gradient is scaled by a number that is not negative, and rows are shifted; so the
    direction never points downhill.

    Parameters
    ----------
    advantage : (S, *P, A) float
        A^i(s, aP, ai) (`advantages.local_advantages`).
    pi : (S, *P, A) float
        The agent's policy.
    visits : (S, *P, A) float
        d(s) pi(aP, ai|s): the occupancy, summed over the agents outside the family. Of no influence when
        lambda is 0.
    regularization : float
        lambda >= 0.

    Returns
    -------
    (S, *P, A) float
        The advantage plus the barrier's share, every row shifted to sum to zero.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if not advantage.shape == pi.shape == visits.shape:
        raise ValueError(
            "advantage, policy and visits must share a shape, "
            f"got {advantage.shape}, {pi.shape} and {visits.shape}"
        )
    actions = pi.shape[-1]
    direction = advantage
    if regularization > 0.0:
        weight, barrier = total(visits), regularization * actions / pi.size
        gradient = scaled(pi * advantage, weight) + barrier * (1.0 / actions - pi)
        direction = scaled(gradient / np.maximum(pi, RAREST), 1.0 / (weight + barrier))
    return lowered(direction, total(direction) / actions)


def sampled_natural(gradient: FloatArray, pi: FloatArray, met: FloatArray) -> FloatArray:
    """The natural gradient, estimated from what one agent saw in a round.

    A row that is met w times a step has the gradient w pi A and the natural one A; so the estimate is divided
    by the share of the steps in which its row was met, and by pi. That of a row met seldom, or of an action
    tried seldom, is noise: `FEW` steps are added to every row, and pi is at least `RARE`. Every entry of the
    gradient is scaled by a positive number and rows are shifted, so it points uphill whatever the noise.

    Parameters
    ----------
    gradient : (S, *P, A) float
        The sampled estimate of dL_lambda/dtheta^i.
    pi : (S, *P, A) float
        The agent's policy.
    met : (S, *P, A) float
        In how many steps of all lanes each row was met, with each action.

    Returns
    -------
    (S, *P, A) float
        Every row sums to zero. As weights are a mean over lanes, a row's entries estimate A times the mean
        length of an episode: with random lengths A / (1 - gamma), as the literature has it.
    """
    steps = met.sum()
    rows = total(met) + FEW
    direction = scaled(gradient / np.maximum(pi, RARE), steps / rows)
    return lowered(direction, total(direction) / pi.shape[-1])


def side_by_side(tables: Sequence[FloatArray]) -> tuple[FloatArray, tuple[int, ...]]:
    """Lay a table of every agent into one, read-only.

    Parameters
    ----------
    tables : sequence of N arrays (S, *P, A_i) float

    Returns
    -------
    joined : (S, K) float
    starts : tuple of N int
        The first column of every agent.
    """
    flat = [table.reshape(len(table), -1) for table in tables]
    widths = np.cumsum([0, *(table.shape[1] for table in flat[:-1])])
    joined = np.concatenate(flat, axis=1)
    joined.flags.writeable = False
    return joined, tuple(int(start) for start in widths)


def part_of(joined: FloatArray, start: int, shape: Sequence[int]) -> FloatArray:
    """One agent's table out of :func:`side_by_side`.

    Parameters
    ----------
    joined : (S, K) float
    start : int
        The agent's first column.
    shape : sequence of int
        (S, *P, A_i).

    Returns
    -------
    (S, *P, A_i) float

    Raises
    ------
    ValueError
        If the table does not reach so far, or is of other states.
    """
    width = math.prod(shape[1:])
    if joined.ndim != 2 or len(joined) != shape[0] or not 0 <= start <= joined.shape[1] - width:
        raise ValueError(
            f"a table of shape {tuple(shape)} cannot begin at column {start} of one of shape {joined.shape}"
        )
    return joined[:, start : start + width].reshape(tuple(shape))
