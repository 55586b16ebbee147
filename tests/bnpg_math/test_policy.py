import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bnpg_math.errors import PolicyError
from bnpg_math.policies.softmax import initial_normal, log_policy, policy, theta_shape, validate_theta

logits = arrays(np.float64, (2, 3, 4), elements=st.floats(-700, 700))


@given(theta=logits)
def test_rows_are_distributions(theta):
    pi = policy(theta)
    assert (pi >= 0).all()
    np.testing.assert_allclose(pi.sum(axis=-1), 1.0, atol=1e-14)


@given(theta=logits, shift=st.floats(-100, 100))
def test_a_constant_added_to_a_row_changes_nothing(theta, shift):
    np.testing.assert_allclose(log_policy(theta + shift), log_policy(theta), atol=1e-9)


def test_huge_logits_neither_overflow_nor_lose_the_logarithm():
    theta = np.array([[1e308, 0.0], [0.0, -1000.0]])
    logs = log_policy(theta)
    assert np.isfinite(logs).all()
    assert logs[1, 1] == -1000.0
    np.testing.assert_array_equal(policy(theta), [[1.0, 0.0], [1.0, 0.0]])


def test_the_shape_puts_parents_before_the_own_action():
    assert theta_shape(5, (2, 3, 4), (0, 1), 2) == (5, 2, 3, 4)
    assert theta_shape(5, (2, 3, 4), (), 1) == (5, 3)


def test_logits_are_checked_at_the_door():
    good = validate_theta(np.zeros((2, 3), dtype=np.float32), (2, 3), 0)
    assert good.dtype == np.float64
    with pytest.raises(PolicyError, match=r"theta_1 must have shape \(2, 3\), got \(3, 2\)"):
        validate_theta(np.zeros((3, 2)), (2, 3), 1)
    with pytest.raises(PolicyError, match=r"theta_1\[0, 2\] must be finite, got inf"):
        validate_theta(np.array([[0, 0, np.inf], [0, np.nan, 0]]), (2, 3), 1)
    with pytest.raises(PolicyError, match="real numbers, got dtype"):
        validate_theta(np.array([["a"]]), (1, 1), 1)


def test_initial_logits_are_standard_normal_and_keyed_by_agent_and_seed():
    drawn = initial_normal(5, 0, (50, 40))
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert abs(drawn.std() - 1) < 0.1
    np.testing.assert_array_equal(drawn, initial_normal(5, 0, (50, 40)))
    assert not np.array_equal(drawn, initial_normal(5, 1, (50, 40)))
    assert not np.array_equal(drawn, initial_normal(6, 0, (50, 40)))
