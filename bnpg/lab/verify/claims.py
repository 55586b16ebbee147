"""The lemmas, theorems and invariants, each as a check of one case."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from bnpg.lab.verify.ascent import Ascent, ascend
from bnpg.lab.verify.baselines import direct_parameterisation, graph_iteration
from bnpg.lab.verify.cases import Case
from bnpg.lab.verify.climb import climb
from bnpg.lab.verify.finding import Finding, at_most
from bnpg.lab.verify.global_optimality import theorem_a, theorem_b, theorem_d
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value, solve_in_doubles
from bnpg_math.exact.values import evaluate
from bnpg_math.learning.objective import objective
from bnpg_math.policies.softmax import log_policy, policy
from bnpg_math.theory.bounds import bounds
from bnpg_math.theory.constants import FORMS, nash_threshold, optimality_threshold, sizes, smoothness
from bnpg_math.theory.curvature import curvature
from bnpg_math.theory.rates import RateConstants, euclidean_threshold, rates
from bnpg_math.theory.stationarity import family_excess, gradient_norm, gradients, path_excess

_ROUNDS = 4000
_ITERATIONS = 500
_LAMBDA = 0.5


def lemma_1(case: Case) -> Iterator[Finding]:
    """The gradient against central differences of the objective (Lemma 1, corrected)."""
    thetas, lam, width = case.normal(), 0.1, 1e-5

    def at(moved: list[FloatArray]) -> float:
        tables = [policy(theta) for theta in moved]
        value = evaluate(case.game, joint_policy(tables, case.dag)).value
        return objective(value, [log_policy(theta) for theta in moved], lam)

    worst = 0.0
    grads = gradients(case.game, case.dag, [policy(theta) for theta in thetas], lam)
    for agent, grad in enumerate(grads):
        for index in np.ndindex(grad.shape):
            sides = []
            for sign in (1.0, -1.0):
                moved = [theta.copy() for theta in thetas]
                moved[agent][index] += sign * width
                sides.append(at(moved))
            worst = max(worst, abs((sides[0] - sides[1]) / (2 * width) - float(grad[index])))
    scale = max(1.0, case.game.reward_range / (1 - case.game.gamma) ** 2)
    yield at_most("Lemma 1", "corrected", case.where, worst, 1e-6 * scale)
    rows = max(float(abs(grad.sum(axis=-1)).max()) for grad in grads)
    yield at_most("rows of the gradient sum to zero", "exact", case.where, rows, 1e-11 * scale)


def divergences(case: Case) -> Iterator[Finding]:
    """sum_i E KL(Unif || pi^i) = E_s KL(Unif || pi(.|s)), for every DAG."""
    logs = [log_policy(theta) for theta in case.normal()]
    local = -sum(float(table.mean()) + math.log(table.shape[-1]) for table in logs)
    pi = joint_policy([np.exp(table) for table in logs], case.dag)
    joint = -float(np.log(pi).mean()) - math.log(case.game.joint_actions)
    yield at_most("local divergences add up to the joint one", "exact", case.where, abs(local - joint), 1e-10)


def lemma_4(case: Case) -> Iterator[Finding]:
    """The largest curvature found by power iteration against beta (Lemma 4)."""
    lam, thetas = _LAMBDA, case.normal()
    size = sizes(case.game, case.dag)
    direction = [theta.copy() for theta in case.zeros()]
    rng = np.random.default_rng(case.seed)
    direction = [rng.standard_normal(part.shape) for part in direction]
    for _ in range(12):
        direction = _hessian_times(case, thetas, direction, lam)
    found = curvature(case.game, case.dag, thetas, direction, lam)
    for form in FORMS:
        if form != "corrected":
            yield at_most("Lemma 4", form, case.where, found, smoothness(size, lam, form))


def _hessian_times(
    case: Case, thetas: list[FloatArray], direction: list[FloatArray], lam: float
) -> list[FloatArray]:
    norm = math.sqrt(sum(float((part**2).sum()) for part in direction))
    width = 1e-5 / norm
    sides = []
    for sign in (width, -width):
        moved = [policy(theta + sign * part) for theta, part in zip(thetas, direction, strict=True)]
        sides.append(gradients(case.game, case.dag, moved, lam))
    return [(plus - minus) / 2e-5 for plus, minus in zip(*sides, strict=True)]


def lemmas_2_and_3(case: Case) -> Iterator[Finding]:
    """Near-stationary points, reached from two starts, against the promises of Lemmas 2 and 3."""
    M = mismatch(case.game).M
    lam, size = _LAMBDA, sizes(case.game, case.dag)
    best, solved = float(case.game.initial @ optimal_value(case.game).V), solve_in_doubles(case.game)
    limits = nash_threshold(size, lam), optimality_threshold(size, lam)

    def excess(grads: list[FloatArray]) -> float:
        return max(family_excess(grads) / limits[0], path_excess(grads, case.dag) / limits[1])

    for start in (case.zeros(), case.normal()):
        found = False
        for thetas in climb(case, start, lam, _ITERATIONS):
            tables = [policy(theta) for theta in thetas]
            values = evaluate(case.game, joint_policy(tables, case.dag))
            grads = gradients(case.game, case.dag, tables, lam, values)
            if excess(grads) >= 1:
                continue
            found = True
            promises = bounds(
                case.game, case.dag, lam, grads, M=M, optimality_gap=max(best - values.value, 0.0),
                nash_gap=nash_gap(case.game, case.dag, tables, values).gap,
                covered=coverage(case.game, values.pi, solved),
            )  # fmt: skip
            for one in promises:
                if one.lemma != "lemma_4" and one.met and one.measured is not None and one.bound is not None:
                    yield at_most(f"Lemma {one.lemma[-1]}", one.form, case.where, one.measured, one.bound)
        # Without such a point Lemmas 2 and 3 would not have been tested at all.
        yield at_most("a near-stationary point is reached", "exact", case.where, float(not found), 0.0)


def theorems(case: Case) -> Iterator[Finding]:
    """Theorems 1 and 2: rounds needed against rounds promised, and the descent inequality behind them."""
    lam, size = _LAMBDA, sizes(case.game, case.dag)
    beta = smoothness(size, lam)
    course = ascend(case, case.zeros(), lam, 1.0 / beta, _ROUNDS, _all_met(case, lam))
    yield from _descent(case, course, beta)
    found, best = mismatch(case.game), optimal_value(case.game)
    room = float(case.game.initial @ best.V) - course.objectives[0]
    optimal = found.of_optimal(evaluate(case.game, best.policy).d)
    for rate in rates(case.game, case.dag, lam, found.M, RateConstants(found.mean, optimal, room)):
        if rate.rounds is None or rate.form == "printed":
            continue
        limit = euclidean_threshold(size, lam, rate.theorem, rate.form)
        needed = next((t for t, norm in enumerate(course.norms) if norm <= limit), None)
        if needed is not None:
            yield at_most(f"Theorem {rate.theorem[-1]}", rate.form, case.where, needed, rate.rounds)


def _all_met(case: Case, lam: float) -> Callable[[list[FloatArray]], bool]:
    limit = optimality_threshold(sizes(case.game, case.dag), lam)
    return lambda grads: gradient_norm(grads) <= limit


def _descent(case: Case, course: Ascent, beta: float) -> Iterator[Finding]:
    rises = np.diff(course.objectives)
    fall = float(max(0.0, -rises.min())) if rises.size else 0.0
    yield at_most("the objective never decreases at 1/beta", "tight", case.where, fall, 1e-9)
    squares = np.minimum.accumulate(np.square(course.norms[:-1])) if rises.size else np.zeros(0)
    if squares.size:
        counts = np.arange(1, squares.size + 1)
        gains = np.array(course.objectives[1:]) - course.objectives[0]
        excess = float((squares - 2 * beta * gains / counts).max())
        yield at_most(
            "min_t ||grad||^2 <= 2 beta (L_T - L_0) / T", "tight", case.where, max(excess, 0.0), 1e-9
        )
    yield at_most("(3) conserves row sums of theta", "exact", case.where, course.row_drift, 1e-8)


CLAIMS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    lemma_1,
    divergences,
    lemma_4,
    lemmas_2_and_3,
    theorems,
    theorem_a,
    theorem_b,
    theorem_d,
    direct_parameterisation,
    graph_iteration,
)
