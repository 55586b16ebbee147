import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.exact.values import evaluate
from bnpg_math.learning.gradient import (
    barrier_gradient,
    flow,
    local_flow,
    local_flows,
    local_gradient,
    regularized_gradient,
    update,
)
from bnpg_math.learning.objective import objective
from bnpg_math.policies.softmax import log_policy, policy
from bnpg_math.theory.stationarity import gradient_max, gradient_norm, gradients, path_norm


def regularised(case, thetas, regularization):
    tables = [policy(theta) for theta in thetas]
    value = evaluate(case.game, joint_policy(tables, case.dag)).value
    return objective(value, [log_policy(theta) for theta in thetas], regularization)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_lemma_1_agrees_with_central_differences(problem, seed):
    """Section 4.1, with the unnormalised visitation and no second factor 1/(1 - gamma)."""
    case, regularization, width = problem(seed), 0.3, 1e-5
    exact = gradients(case.game, case.dag, case.tables, regularization)
    for agent, theta in enumerate(case.thetas):
        for entry in np.ndindex(*theta.shape):
            sides = []
            for sign in (1, -1):
                moved = [array.copy() for array in case.thetas]
                moved[agent][entry] += sign * width
                sides.append(regularised(case, moved, regularization))
            assert exact[agent][entry] == pytest.approx((sides[0] - sides[1]) / (2 * width), abs=5e-8)


@given(seed=st.integers(0, 10**6))
def test_lemma_1_written_with_advantages(problem, seed):
    case = problem(seed)
    game, pi = case.game, case.joint
    values = evaluate(game, pi)
    W = flow(values.d, pi, values.Q)
    for agent, family in enumerate(case.dag.families):
        reach = local_flow(pi, family)  # pi(aP, ai | s)
        Q = local_flow(pi * values.Q, family) / reach
        above = reach.sum(axis=-1, keepdims=True)  # pi(aP | s)
        mean = local_flow(pi * values.Q, family).sum(axis=-1, keepdims=True) / above
        d = values.d.reshape(-1, *(1,) * (reach.ndim - 1))
        expected = d * above * case.tables[agent] * (Q - mean)
        np.testing.assert_allclose(
            local_gradient(local_flow(W, family), case.tables[agent]), expected, atol=1e-10
        )


@given(seed=st.integers(0, 10**6))
def test_rows_sum_to_zero_so_that_updates_conserve_row_sums(problem, seed):
    case = problem(seed)
    grads = gradients(case.game, case.dag, case.tables, 0.3)
    for theta, gradient in zip(case.thetas, grads, strict=True):
        np.testing.assert_allclose(gradient.sum(axis=-1), 0.0, atol=1e-11)
        np.testing.assert_allclose(update(theta, gradient, 0.7).sum(axis=-1), theta.sum(axis=-1), atol=1e-10)


@given(seed=st.integers(0, 10**6))
def test_a_baseline_changes_nothing(problem, seed):
    case = problem(seed)
    values = evaluate(case.game, case.joint)
    b = np.random.default_rng(seed).normal(size=case.game.states)
    shifted = values.Q - b.reshape(-1, *(1,) * case.game.agents)
    for family, table in zip(case.dag.families, case.tables, strict=True):
        with_b = local_gradient(local_flow(flow(values.d, case.joint, shifted), family), table)
        without = local_gradient(local_flow(flow(values.d, case.joint, values.Q), family), table)
        np.testing.assert_allclose(with_b, without, atol=1e-10)


def test_local_flow_keeps_the_order_of_the_family():
    W = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(local_flow(W, (2, 0)), W.sum(axis=2).transpose(0, 2, 1))
    np.testing.assert_array_equal(local_flow(W, (0, 1, 2)), W)
    with pytest.raises(ValueError, match="distinct agents"):
        local_flow(W, (0, 0))
    with pytest.raises(ValueError, match="distinct agents"):
        local_flow(W, (3,))


@given(seed=st.integers(0, 10**6))
def test_shared_sums_over_many_families_are_those_of_each_alone(seed):
    rng = np.random.default_rng(seed)
    agents = int(rng.integers(1, 6))
    W = rng.normal(size=(2, *rng.integers(1, 10, size=agents)))
    families = [
        tuple(int(i) for i in rng.permutation(agents)[: rng.integers(1, agents + 1)]) for _ in range(agents)
    ]
    for found, members in zip(local_flows(W, families), families, strict=True):
        obvious = np.einsum(W, range(agents + 1), [0, *(1 + member for member in members)])
        np.testing.assert_allclose(found, obvious, atol=1e-11)
        np.testing.assert_allclose(local_flow(W, members), obvious, atol=1e-11)


@given(seed=st.integers(0, 10**6))
def test_the_regularized_gradient_is_the_sum_of_its_parts(problem, seed):
    case = problem(seed)
    m = np.random.default_rng(seed).normal(size=case.tables[0].shape)
    parts = local_gradient(m, case.tables[0]) + barrier_gradient(case.tables[0], 0.7)
    np.testing.assert_allclose(regularized_gradient(m, case.tables[0], 0.7), parts, atol=1e-14)


def test_the_barrier_pushes_towards_the_uniform_policy():
    pi = np.array([[0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(barrier_gradient(pi, 0.2), [[-0.04, 0.04], [0.0, 0.0]])


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="share a shape"):
        local_gradient(np.ones((1, 2)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="share a shape"):
        update(np.ones((1, 2)), np.ones((1, 3)), 0.1)
    with pytest.raises(ValueError, match="must fit"):
        flow(np.ones(2), np.ones((1, 2)), np.ones((1, 2)))


@given(seed=st.integers(0, 10**6))
def test_the_norms_are_ordered(problem, seed):
    case = problem(seed)
    grads = gradients(case.game, case.dag, case.tables, 0.3)
    euclidean = gradient_norm(grads)
    assert gradient_max(grads) <= path_norm(grads, case.dag) * (1 + 1e-12)
    assert path_norm(grads, case.dag) <= np.sqrt(case.game.agents) * euclidean * (1 + 1e-12)
    path = max(
        sum(abs(g[(s, *(a[j] for j in f))]) for g, f in zip(grads, case.dag.families, strict=True))
        for s in range(case.game.states)
        for a in np.ndindex(*case.game.actions)
    )
    assert path_norm(grads, case.dag) == pytest.approx(path)
