"""Adam, step by step against its formula, and the limit on a gradient's length."""

import numpy as np
import pytest

from bnpg_math.learning.adam import Adam, norm, shortened


def test_steps_are_those_of_the_formula_number_by_number():
    rng = np.random.default_rng(0)
    theta, state = {"a": rng.normal(size=(2, 3)), "b": rng.normal(size=3)}, {}
    gradients = [{name: rng.normal(size=array.shape) for name, array in theta.items()} for _ in range(5)]
    expected, m, v = float(theta["a"][1, 2]), 0.0, 0.0
    for t, gradient in enumerate(gradients, 1):
        theta, state = Adam(0.8, 0.95, 1e-3).step(theta, gradient, state, 0.1)
        g = float(gradient["a"][1, 2])
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        expected += 0.1 * (m / (1 - 0.8**t)) / ((v / (1 - 0.95**t)) ** 0.5 + 1e-3)
        assert theta["a"][1, 2] == pytest.approx(expected, rel=1e-13)
    assert state["steps"].tolist() == [5.0]
    assert set(state) == {"steps", "first.a", "first.b", "second.a", "second.b"}


def test_a_first_step_goes_uphill_by_the_step_size_whatever_the_scale():
    for scale in (1.0, 1e6):
        moved, _ = Adam(epsilon=1e-12).step(
            {"a": np.zeros(2)}, {"a": scale * np.array([3.0, -2.0])}, {}, 0.01
        )
        np.testing.assert_allclose(moved["a"], [0.01, -0.01])


def test_a_step_changes_nothing_that_came_in():
    theta, gradient = {"a": np.ones(3)}, {"a": np.ones(3)}
    _, state = Adam().step(theta, gradient, {}, 0.1)
    kept = {name: array.copy() for name, array in state.items()}
    first = Adam().step(theta, gradient, state, 0.1)
    again = Adam().step(theta, gradient, state, 0.1)
    np.testing.assert_array_equal(first[0]["a"], again[0]["a"])
    assert all(np.array_equal(state[name], array) for name, array in kept.items())
    assert theta["a"].tolist() == gradient["a"].tolist() == [1.0] * 3


def test_a_long_gradient_keeps_its_direction():
    gradient = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert norm(gradient) == 5.0
    short = shortened(gradient, 0.5)
    np.testing.assert_allclose(short["a"], [0.3, 0.0])
    np.testing.assert_allclose(short["b"], [[0.4]])
    assert shortened(gradient, 5.0) is gradient
    assert shortened(gradient, float("inf")) is gradient
