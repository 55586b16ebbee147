from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate, expected_reward


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25)
def test_no_deterministic_joint_policy_is_better(problem, seed):
    """Against all of them, one by one."""
    case = problem(seed, states=2)
    game = case.game
    if game.joint_actions > 12:
        return
    best = -np.inf
    for choice in product(range(game.joint_actions), repeat=game.states):
        pi = np.eye(game.joint_actions)[list(choice)].reshape(2, *game.actions)
        best = max(best, evaluate(game, pi).value)
    optimum = optimal_value(game)
    # A value may be next to 0 by cancellation: doubles hold it to an ulp of the returns it is made of.
    atol = 1e-13 * np.abs(game.reward).max() / (1 - game.gamma)
    np.testing.assert_allclose(game.initial @ optimum.V, best, rtol=0, atol=atol)
    np.testing.assert_allclose(evaluate(game, optimum.policy).V, optimum.V, rtol=0, atol=atol)


@given(seed=st.integers(0, 10**6))
def test_the_optimality_equation_holds(problem, seed):
    game = problem(seed).game
    V, policy = optimal_value(game)
    Q = game.reward + game.gamma * game.transition.expectation(V)
    np.testing.assert_allclose(Q.reshape(game.states, -1).max(axis=1), V, atol=1e-10)
    np.testing.assert_allclose(expected_reward(Q, policy), V, atol=1e-10)


def test_ties_do_not_keep_it_from_stopping(problem):
    case = problem(9, states=3, gamma=0.8)
    flat = type(case.game)(
        "flat", case.game.transition, np.ones_like(case.game.reward), case.game.initial, 0.999
    )
    np.testing.assert_allclose(optimal_value(flat).V, 1000.0)
