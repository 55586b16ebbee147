"""What is proved of the direct parameterisation: projected gradient ascent in the probabilities themselves.

The derivations are in docs/theory/baselines.md. They hold for every DAG, and are about Nash gaps: with edges
a row whose parents' actions have probability 0 has gradient 0, so nothing is promised about the optimum.
"""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.by_two import product
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.theory.constants import Sizes


def direct_smoothness(size: Sizes) -> float:
    """A Lipschitz constant of the gradient of V(mu) in the probabilities, over all policies of a DAG.

    Parameters
    ----------
    size : Sizes
        From `constants.sizes`.

    Returns
    -------
    float
        ``(R sum_i A_i / 2) [(1 - 1/N) / (1-gamma)^2 + 2 gamma / (1-gamma)^3]``: with steps of at most 1/beta
        projected ascent never lowers the value. At least 0; 0 for one agent without a future.
    """
    left = 1.0 - size.gamma
    curved = (1.0 - 1.0 / size.agents) / left**2 + 2.0 * size.gamma / left**3
    return 0.5 * size.reward_range * sum(size.actions) * curved


def direct_rounds(size: Sizes, epsilon: float, ratio: float, room: float) -> float:
    """How many rounds of projected ascent with the step 1/beta reach a Nash gap of epsilon.

    Parameters
    ----------
    size : Sizes
    epsilon : float
        > 0.
    ratio : float
        At least max d^pi'(s) / d^pi(s), over all states and policies, such as M.
    room : float
        At least V* - V(mu) of the first policy.

    Returns
    -------
    float
        ``16 beta S max_i A_P(i) ratio^2 room / epsilon^2``; the best of the policies after the first T
        updates is meant. Infinite if `ratio` is.
    """
    most = (16.0, 1), (direct_smoothness(size), 1), (size.states, 1), (max(size.parents), 1)
    return product(*most, (ratio, 2), (room, 1), (epsilon, -2))


def first_order_gaps(gradients: Sequence[FloatArray], tables: Sequence[FloatArray]) -> tuple[float, ...]:
    """The largest <dV/dpi^i, pi'^i - pi^i> over all pi'^i, of every agent: 0 at a stationary point.

    An agent alone can gain at most ``max_s d'(s)/d(s)`` times that (gradient domination).

    Parameters
    ----------
    gradients : sequence of N arrays (S, *P, A_i) float
        dV/dpi^i, up to a constant a row.
    tables : sequence of N arrays (S, *P, A_i) float
        pi^i.

    Returns
    -------
    tuple of N float
        At least 0 up to rounding.
    """
    return tuple(
        math.fsum((gradient.max(axis=-1) - (gradient * table).sum(axis=-1)).reshape(-1).tolist())
        for gradient, table in zip(gradients, tables, strict=True)
    )


def step_length(before: Sequence[FloatArray], after: Sequence[FloatArray]) -> float:
    """The Euclidean distance between two policies; over eta it is the norm of the gradient mapping."""
    return math.sqrt(
        left_sum(float(np.square(new - old).sum()) for old, new in zip(before, after, strict=True))
    )
