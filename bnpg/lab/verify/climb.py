"""A fast way up to a stationary point, where Lemmas 2 and 3 speak."""

import numpy as np
from scipy.optimize import minimize

from bnpg.lab.verify.cases import Case
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.exact.values import evaluate
from bnpg_math.learning.objective import objective
from bnpg_math.learning.regularization import Regularization
from bnpg_math.policies.softmax import log_policy, policy
from bnpg_math.theory.stationarity import gradients


def climb(
    case: Case, thetas: list[FloatArray], regularization: Regularization, iterations: int
) -> list[list[FloatArray]]:
    """Maximise L_lambda by L-BFGS: the lemmas hold for every theta, however it was found.

    Parameters
    ----------
    case : Case
    thetas : list of N arrays (S, *P, A_i) float
        Where to start.
    regularization : float or tuple of N float
        lambda > 0, of everybody or of each.
    iterations : int
        At the most.

    Returns
    -------
    list of lists of N arrays (S, *P, A_i) float
        Every point on the way, the last one stationary to 1e-8.
    """
    shapes = [theta.shape for theta in thetas]
    ends = np.cumsum([theta.size for theta in thetas])[:-1]

    def unpack(flat: FloatArray) -> list[FloatArray]:
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)]

    def downhill(flat: FloatArray) -> tuple[float, FloatArray]:
        here = unpack(flat)
        tables = [policy(theta) for theta in here]
        values = evaluate(case.game, joint_policy(tables, case.dag))
        grads = gradients(case.game, case.dag, tables, regularization, values)
        height = objective(values.value, [log_policy(theta) for theta in here], regularization)
        return -height, -np.concatenate([grad.ravel() for grad in grads])

    points: list[list[FloatArray]] = []
    minimize(
        downhill,
        np.concatenate([theta.ravel() for theta in thetas]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "gtol": 1e-8, "ftol": 0.0},
        callback=lambda intermediate_result: points.append(unpack(intermediate_result.x.copy())),
    )
    return points
