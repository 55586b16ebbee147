"""The paper's claims on games: the tight forms hold, the printed ones have counterexamples."""

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, complete
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.learning.gradient import update
from bnpg_math.learning.objective import objective
from bnpg_math.policies.softmax import log_policy, policy
from bnpg_math.theory.bounds import bounds
from bnpg_math.theory.constants import (
    nash_threshold,
    optimality_threshold,
    sizes,
    smoothness,
)
from bnpg_math.theory.curvature import curvature
from bnpg_math.theory.stationarity import gradient_max, gradient_norm, gradients, path_norm


def ascend(game, dag, thetas, *, regularization, eta, stop, most):
    """Update (3) until `stop(grads)`; the objective of every step on the way."""
    objectives = []
    for _ in range(most):
        tables = [policy(theta) for theta in thetas]
        values = evaluate(game, joint_policy(tables, dag))
        grads = gradients(game, dag, tables, regularization, values)
        objectives.append(objective(values.value, [log_policy(theta) for theta in thetas], regularization))
        if stop(grads):
            return thetas, grads, objectives
        thetas = [update(theta, gradient, eta) for theta, gradient in zip(thetas, grads, strict=True)]
    raise AssertionError(f"not stationary after {most} updates")


def zeros(case):
    return [np.zeros_like(theta) for theta in case.thetas]


@pytest.mark.parametrize("seed", range(12))
def test_lemma_4_the_objective_never_decreases_at_the_certified_step(problem, seed):
    """Section 4.2 with eta = 1/beta(tight), from a random theta_0."""
    case = problem(seed)
    eta = 1.0 / smoothness(sizes(case.game, case.dag), 0.2)
    steps = iter(range(61))
    _, _, objectives = ascend(
        case.game,
        case.dag,
        case.thetas,
        regularization=0.2,
        eta=eta,
        stop=lambda _: next(steps) == 60,
        most=100,
    )
    assert (np.diff(objectives) >= -1e-12).all()


@pytest.mark.parametrize("seed", range(25))
def test_lemma_4_no_curvature_exceeds_beta(problem, seed):
    case = problem(seed)
    beta = smoothness(sizes(case.game, case.dag), 0.2)
    rng = np.random.default_rng(seed)
    directions = [gradients(case.game, case.dag, case.tables, 0.2)]
    directions += [[rng.normal(size=theta.shape) for theta in case.thetas] for _ in range(3)]
    for direction in directions:
        if any(np.any(part) for part in direction):
            assert curvature(case.game, case.dag, case.thetas, direction, 0.2) <= beta


def test_curvature_is_that_of_a_known_hessian():
    """One state, two actions, theta = 0: along (1, -1)/sqrt(2) V'' is 0 and the barrier's is -lambda/2."""
    game = dense_game("two", np.ones((1, 2, 1)), np.array([[1.0, 0.0]]), np.ones(1), 0.0)
    direction = [np.array([[1.0, -1.0]])]
    assert curvature(game, Dag(1), [np.zeros((1, 2))], direction, 0.4) == pytest.approx(0.2, rel=1e-6)
    with pytest.raises(ValueError, match="must not be zero"):
        curvature(game, Dag(1), [np.zeros((1, 2))], [np.zeros((1, 2))], 0.4)


@pytest.mark.parametrize("seed", [0, 1, 3, 6, 7, 9])
def test_lemma_2_tight_the_nash_gap_is_at_most_lambda_m(problem, seed):
    """At the first point of the trajectory inside the tight threshold, on any DAG."""
    case, lam = problem(seed, gamma=0.5), 0.3
    limit = nash_threshold(sizes(case.game, case.dag), lam)
    eta = 4 * 1.0 / smoothness(sizes(case.game, case.dag), lam)
    thetas, grads, _ = ascend(
        case.game,
        case.dag,
        zeros(case),
        regularization=lam,
        eta=eta,
        stop=lambda g: gradient_max(g) < limit,
        most=100_000,
    )
    gap = nash_gap(case.game, case.dag, [policy(theta) for theta in thetas]).gap
    M = mismatch(case.game).M
    assert gap <= lam * M
    report = bounds(case.game, case.dag, lam, grads, nash_gap=gap, optimality_gap=0.0, M=M)
    assert [(b.met, b.holds) for b in report if (b.lemma, b.form) == ("lemma_2", "tight")] == [(True, True)]
    assert not any(b.refuted for b in report if b.form != "printed")


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 5])
def test_lemma_3_tight_the_optimality_gap_is_at_most_lambda_m(problem, seed):
    """At the first point inside the tight threshold, complete DAG."""
    case, lam = problem(seed, dag=complete(2), states=2, gamma=0.5), 0.3
    limit = optimality_threshold(sizes(case.game, case.dag), lam)
    eta = 4 * 1.0 / smoothness(sizes(case.game, case.dag), lam)
    thetas, grads, _ = ascend(
        case.game,
        case.dag,
        zeros(case),
        regularization=lam,
        eta=eta,
        stop=lambda g: path_norm(g, case.dag) < limit,
        most=100_000,
    )
    value = evaluate(case.game, joint_policy([policy(theta) for theta in thetas], case.dag)).value
    gap = case.game.initial @ optimal_value(case.game).V - value
    M = mismatch(case.game).M
    assert gap <= lam * M
    report = bounds(case.game, case.dag, lam, grads, nash_gap=0.0, optimality_gap=gap, M=M)
    assert not any(b.refuted for b in report)


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_theorem_1_tight_stationarity_comes_within_t(problem, seed):
    """The descent argument of A.3 with the tight constants, by running it."""
    case, lam = problem(seed, gamma=0.0, states=1), 0.5
    size = sizes(case.game, case.dag)
    beta, limit = smoothness(size, lam), nash_threshold(size, lam)
    T = 2 * beta * size.reward_range * size.family**2 / lam**2
    ascend(
        case.game,
        case.dag,
        zeros(case),
        regularization=lam,
        eta=1 / beta,
        stop=lambda g: gradient_norm(g) <= limit,
        most=int(T) + 2,
    )


def test_inequality_4_is_false_for_actions_with_a_negative_advantage():
    """(4) claims pi >= 1/(2 A_i) = 1/4 for every action inside the printed threshold."""
    lam, dag = 1e-4, complete(2)
    game = dense_game("cliff", np.ones((1, 2, 2, 1)), np.array([[[1.0, 1.0], [0.0, 0.5]]]), np.ones(1), 0.0)
    limit = nash_threshold(sizes(game, dag), lam, "printed")
    # The stationary point by alternating: each row of a concave problem in one logit, solved by Newton.
    thetas = [np.zeros((1, 2)), np.zeros((1, 2, 2))]
    thetas = stationary_point(game, dag, thetas, lam)
    grads = gradients(game, dag, [policy(theta) for theta in thetas], lam)
    assert gradient_norm(grads) <= limit
    smallest = min(policy(theta).min() for theta in thetas)
    assert smallest == pytest.approx(8e-5, rel=0.35)
    assert smallest < 1 / 4


def stationary_point(game, dag, thetas, lam):
    """Newton's method on the logit differences of binary agents, with a numerical Jacobian."""
    from scipy.optimize import root

    def unpack(x):
        places = np.cumsum([0] + [theta.size // 2 for theta in thetas])
        parts = [
            x[a:b].reshape(theta.shape[:-1]) for a, b, theta in zip(places, places[1:], thetas, strict=False)
        ]
        return [np.stack([part / 2, -part / 2], axis=-1) for part in parts]

    def residual(x):
        grads = gradients(game, dag, [policy(theta) for theta in unpack(x)], lam)
        return np.concatenate([gradient[..., 0].reshape(-1) for gradient in grads]) / lam

    # Leader prefers action 0 strongly; the follower is indifferent after 0 and prefers 1 after 1.
    start = np.array([9.0, 0.0, -1.0])
    solution = root(residual, start, tol=1e-13)
    return unpack(solution.x)


def test_theorem_1s_printed_threshold_is_not_enough_once_an_agent_has_parents():
    """Four independent binary parents, one child saturated on its bad action: gradient .177 lambda, gap 1."""
    lam = 0.01
    dag = Dag(5, tuple((parent, 4) for parent in range(4)))
    reward = np.zeros((1, 2, 2, 2, 2, 2))
    reward[..., 0] = 1.0
    game = dense_game("saturated", np.ones((1, 2, 2, 2, 2, 2, 1)), reward, np.ones(1), 0.0)
    child = np.zeros((1, 2, 2, 2, 2, 2))
    child[..., 0], child[..., 1] = -60.0, 0.0
    thetas = [np.zeros((1, 2)) for _ in range(4)] + [child]
    tables = [policy(theta) for theta in thetas]
    norm = gradient_norm(gradients(game, dag, tables, lam))
    assert norm == pytest.approx(0.177 * lam, rel=5e-3)
    assert norm < lam / (2 * 1 * 2), "inside the threshold lambda / (2 S max A_i) that Theorem 1 uses"
    gap, M = nash_gap(game, dag, tables).gap, mismatch(game).M
    assert abs(M - 1.0) < 1e-12
    assert gap == pytest.approx(1.0)
    assert gap > 2 * lam * M
    report = bounds(game, dag, lam, gradients(game, dag, tables, lam), nash_gap=gap, optimality_gap=gap, M=M)
    # Exactly on the tight threshold, as far as a float can tell: met means measurably inside.
    assert not any(bound.met for bound in report if bound.lemma == "lemma_2"), "K repairs it"


def test_lemma_1s_second_factor_would_be_wrong():
    """With d unnormalised the printed 1/(1 - gamma) is applied once too often."""
    game = dense_game("bandit", np.ones((1, 2, 1)), np.array([[1.0, 0.0]]), np.ones(1), 0.5)
    (gradient,) = gradients(game, Dag(1), [np.array([[0.5, 0.5]])], 0.0)
    # V = 2 pi(0), so dV/dtheta_0 = 2 pi(0) pi(1) = 1/2; the printed form would give 1.
    np.testing.assert_allclose(gradient, [[0.5, -0.5]])
