"""The curvature of L_lambda along a direction, to hold against beta (Lemma 4)."""

import math
from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.dag import Dag
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
        Step of the difference; its error is of the order of its square.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the direction is zero.
    """
    length = math.sqrt(left_sum(float(np.vdot(part, part)) for part in direction))
    if length == 0.0:
        raise ValueError("direction must not be zero")
    unit = [part / length for part in direction]
    slopes = []
    for sign in (1.0, -1.0):
        moved = [theta + sign * width * part for theta, part in zip(thetas, unit, strict=True)]
        grads = gradients(game, dag, [policy(theta) for theta in moved], regularization)
        slopes.append(
            left_sum(float(np.vdot(part, gradient)) for part, gradient in zip(unit, grads, strict=True))
        )
    return abs(slopes[0] - slopes[1]) / (2 * width)
