"""The curvature of L_lambda along a direction, to hold against beta (Lemma 4)."""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.by_two import length
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.dag import Dag
from bnpg_math.exact.rounding import UNIT
from bnpg_math.games.game import Game
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.stationarity import gradients


def curvature(
    game: Game,
    dag: Dag,
    thetas: Sequence[FloatArray],
    direction: Sequence[FloatArray],
    regularization: float,
    *,
    width: float = 1e-5,
) -> float:
    """|u^T (Hessian of L_lambda) u| for the unit vector u along a direction.

    Central differences of the exact gradient; a lower estimate of the Hessian's norm.

    Parameters
    ----------
    game : Game
        The game.
    dag : Dag
        Who conditions on whom.
    thetas : sequence of N arrays (S, *P, A_i) float
        Where; log pi^i is as good as theta^i.
    direction : sequence of N arrays (S, *P, A_i) float
        Any length; must not be zero.
    regularization : float
        lambda >= 0.
    width : float
        Step of the difference: what is measured is the curvature somewhere so near, up to
        :func:`curvature_rounding`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the direction is zero.
    """
    size = length(direction)
    if size == 0.0:
        raise ValueError("direction must not be zero")
    unit = [part / size for part in direction]
    slopes = []
    for sign in (1.0, -1.0):
        moved = [theta + sign * width * part for theta, part in zip(thetas, unit, strict=True)]
        grads = gradients(game, dag, [policy(theta) for theta in moved], regularization)
        slopes.append(
            left_sum(float(np.vdot(part, gradient)) for part, gradient in zip(unit, grads, strict=True))
        )
    return abs(slopes[0] - slopes[1]) / (2 * width)


def curvature_rounding(grads: Sequence[FloatArray], rounding: float, width: float) -> float:
    """How much too large :func:`curvature` may be, because gradients are rounded.

    Parameters
    ----------
    grads : sequence of N arrays (S, *P, A_i) float
        dL_lambda/dtheta^i.
    rounding : float
        Of an entry, from :func:`bnpg_math.theory.stationarity.gradient_rounding`.
    width : float
        As in :func:`curvature`.

    Returns
    -------
    float
        The mean of the curvature between two points is the difference of two slopes, and a slope is off by at
        most the length of what the gradient is off by, and by its own sum. Twice that, as the gradients are
        those of policies nearby.
    """
    entries = sum(gradient.size for gradient in grads)
    return 2.0 * (math.sqrt(entries) * rounding + 2.0 * entries * UNIT * length(grads)) / width
