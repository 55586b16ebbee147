import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.exact.values import evaluate, expected_reward, state_values


@given(seed=st.integers(0, 10**6))
def test_bellmans_equations_hold(problem, seed):
    case = problem(seed)
    game, pi = case.game, case.joint
    values = evaluate(game, pi)
    np.testing.assert_allclose(expected_reward(values.Q, pi), values.V, atol=1e-11)
    tensor = game.transition.to_dense()
    np.testing.assert_allclose(values.Q, game.reward + game.gamma * tensor @ values.V, atol=1e-11)
    flow = np.einsum(
        "s,sa,sat->t", values.d, pi.reshape(game.states, -1), tensor.reshape(game.states, -1, game.states)
    )
    np.testing.assert_allclose(values.d, game.initial + game.gamma * flow, atol=1e-11)


@given(seed=st.integers(0, 10**6))
def test_visitation_is_unnormalised_and_gives_the_value(problem, seed):
    case = problem(seed)
    values = evaluate(case.game, case.joint)
    assert (values.d >= 0).all()
    np.testing.assert_allclose(values.d.sum(), 1 / (1 - case.game.gamma), rtol=1e-12)
    np.testing.assert_allclose(
        values.d @ expected_reward(case.game.reward, case.joint), values.value, atol=1e-10
    )


def test_values_are_the_discounted_sum_of_rewards(problem):
    case = problem(3, states=3, gamma=0.5)
    chain = case.game.transition.under(case.joint)
    reward = expected_reward(case.game.reward, case.joint)
    total, term = np.zeros(3), reward
    for _ in range(80):
        total, term = total + term, 0.5 * chain @ term
    np.testing.assert_allclose(state_values(case.game, case.joint), total, rtol=1e-13)


def test_a_policy_of_another_shape_is_refused(problem):
    case = problem(1)
    with pytest.raises(ValueError, match="policy must have shape"):
        evaluate(case.game, case.joint[..., None])
