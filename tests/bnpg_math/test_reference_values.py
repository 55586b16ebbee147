"""The exact values that other implementations are compared with."""

import tracemalloc

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, complete
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game
from bnpg_math.learning.gradient import update
from bnpg_math.policies.softmax import initial_normal, policy, theta_shape
from bnpg_math.theory.stationarity import gradient_norm, gradients


@pytest.mark.parametrize(("agents", "value"), [(2, 47.8000), (3, 43.1040), (5, 53.7782)])
def test_the_optimum_of_the_coordination_game(agents, value):
    built = game(f"coordination(agents={agents})")
    assert built.initial @ optimal_value(built).V == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(("agents", "M"), [(2, 35.5), (3, 97.1), (5, 357.8)])
def test_the_mismatch_of_the_coordination_game(agents, M):
    found = mismatch(game(f"coordination(agents={agents})"))
    assert abs(found.M - M) <= 0.05


def limit(spec, edges, regularization):
    """V where (3) converges from theta_0 = 0, to a gradient norm of 1e-9.

    Plain ascent approaches the point along its slowest mode; once inside its basin, Newton's method with a
    numerical Jacobian ends at the same point in a few steps.
    """
    built, dag = game(spec), Dag(2, edges)
    shapes = [theta_shape(1, built.actions, dag.parents[agent], agent) for agent in range(2)]
    thetas = [np.zeros(shape) for shape in shapes]

    def gradient(parts):
        return gradients(built, dag, [policy(theta) for theta in parts], regularization)

    for _ in range(12_000):
        thetas = [update(theta, g, 0.04) for theta, g in zip(thetas, gradient(thetas), strict=True)]
    sizes = np.cumsum([theta.size for theta in thetas])[:-1]

    def unpack(x):
        return [part.reshape(shape) for part, shape in zip(np.split(x, sizes), shapes, strict=True)]

    def flat(x):
        return np.concatenate([g.reshape(-1) for g in gradient(unpack(x))])

    x = np.concatenate([theta.reshape(-1) for theta in thetas])
    for _ in range(20):
        if np.linalg.norm(flat(x)) <= 1e-11:
            break
        jacobian = np.stack([(flat(x + h) - flat(x - h)) / 2e-6 for h in 1e-6 * np.eye(x.size)], axis=1)
        # Rows of logits may be shifted freely: the least-squares step leaves row sums alone.
        x = x - np.linalg.lstsq(jacobian, flat(x), rcond=1e-9)[0]
    thetas = unpack(x)
    assert gradient_norm(gradient(thetas)) <= 1e-9
    return evaluate(built, joint_policy([policy(theta) for theta in thetas], dag)).value


@pytest.mark.parametrize(
    ("spec", "edges", "regularization", "value", "digits"),
    [
        ("climbing", (), 0.1, 6.8659, 4),
        ("climbing", ((0, 1),), 0.1, 10.9112, 4),
        ("climbing", ((1, 0),), 0.1, 10.9112, 4),
        ("climbing", (), 0.01, 6.9867, 4),
        ("climbing", ((0, 1),), 0.01, 10.991, 3),
        ("climbing", ((1, 0),), 0.01, 10.991, 3),
        ("penalty(k=-25)", (), 0.1, 1.8738, 4),
        ("penalty(k=-25)", ((0, 1),), 0.1, 9.9224, 4),
        ("penalty(k=-100)", (), 0.1, 1.8895, 4),
        ("penalty(k=-100)", ((0, 1),), 0.1, 9.9224, 4),
    ],
)
def test_where_update_3_converges_on_matrix_games(spec, edges, regularization, value, digits):
    assert limit(spec, edges, regularization) == pytest.approx(value, abs=0.5 * 10**-digits)


@pytest.fixture
def peak():
    """Return what tells the most memory held since: of this test, not of those before it in the process."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_ten_agents_are_exact_in_well_under_two_gigabytes(peak):
    """1024 states x 1024 joint actions, complete DAG: an update, all values and the Nash gap."""
    built, dag = game("coordination(agents=10)"), complete(10)
    tables = [
        policy(initial_normal(0, agent, theta_shape(built.states, built.actions, dag.parents[agent], agent)))
        for agent in range(10)
    ]
    values = evaluate(built, joint_policy(tables, dag))
    grads = gradients(built, dag, tables, 0.1, values)
    gap = nash_gap(built, dag, tables, values)
    optimum = built.initial @ optimal_value(built).V
    assert all(abs(g.sum(axis=-1)).max() < 1e-12 for g in grads)
    assert 0.0 < gap.gap <= optimum - values.value
    assert peak() < 1.9e9, "and the interpreter has its own tenth"
