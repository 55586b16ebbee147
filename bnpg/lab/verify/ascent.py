"""Exact policy gradient ascent, eq. (3), with what the theorems speak of recorded at every round."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bnpg.lab.verify.cases import Case
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.values import evaluate
from bnpg_math.learning.gradient import update
from bnpg_math.learning.objective import objective
from bnpg_math.policies.softmax import log_policy, policy
from bnpg_math.theory.stationarity import gradient_norm, gradients


@dataclass
class Ascent:
    """The course of one ascent."""

    thetas: list[FloatArray]
    objectives: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    """||grad L_lambda||_2 of every theta_t."""
    nash_gaps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    gradients: list[FloatArray] = field(default_factory=list)
    """Of the last theta."""
    row_drift: float = 0.0
    """Largest change of a row sum of theta: (3) conserves them."""


def ascend(
    case: Case,
    thetas: list[FloatArray],
    regularization: float,
    eta: float,
    rounds: int,
    stop: Callable[[list[FloatArray]], bool] | None = None,
    gaps: bool = False,
) -> Ascent:
    """Make updates (3) until `stop` says so of the gradients, or the rounds are over.

    Parameters
    ----------
    case : Case
    thetas : list of N arrays (S, *P, A_i) float
        theta_0.
    regularization, eta : float
    rounds : int
        At the most.
    stop : callable, optional
    gaps : bool
        Whether to compute the Nash gap of every theta_t.
    """
    course = Ascent(thetas)
    sums = [theta.sum(axis=-1) for theta in thetas]
    for round_ in range(rounds + 1):
        logs = [log_policy(theta) for theta in course.thetas]
        tables = [policy(theta) for theta in course.thetas]
        values = evaluate(case.game, joint_policy(tables, case.dag))
        grads = gradients(case.game, case.dag, tables, regularization, values)
        course.gradients = grads
        course.values.append(values.value)
        course.objectives.append(objective(values.value, logs, regularization))
        course.norms.append(gradient_norm(grads))
        if gaps:
            course.nash_gaps.append(nash_gap(case.game, case.dag, tables, values).gap)
        if round_ == rounds or (stop is not None and stop(grads)):
            break
        course.thetas = [update(theta, grad, eta) for theta, grad in zip(course.thetas, grads, strict=True)]
    drifts = [
        abs(theta.sum(axis=-1) - before).max() for theta, before in zip(course.thetas, sums, strict=True)
    ]
    course.row_drift = float(max(drifts))
    return course
