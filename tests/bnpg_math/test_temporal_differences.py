"""Values of the other half in the place of what follows: right by hand, quieter, and nobody judges itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.errors import InputError
from bnpg_math.learning import temporal_differences
from bnpg_math.learning.estimators import episode_lengths, signal_weights
from tests.bnpg_math.test_estimators import estimates, exact_gradient

GAMMA = 0.75


def random_round(seed, *, states, lanes=40, gamma=GAMMA):
    """States that follow each other with probabilities of their own, and rewards that go with both."""
    rng = np.random.default_rng(seed)
    chain = rng.dirichlet(np.full(states, 0.5), size=states)
    lengths = episode_lengths("geometric", gamma, lanes, seed, 0)
    state, played, rewards = rng.integers(states, size=lanes), [], []
    for step in range(int(lengths[0])):
        state = state[: int((lengths > step).sum())]
        played.append(state)
        rewards.append(state + rng.normal(size=state.size))
        state = np.array([rng.choice(states, p=chain[one]) for one in state], dtype=int)
    return rewards, played


def temporal_weights(rewards, states, gamma, discounts, n_states):
    """All of them, end to end."""
    out = [np.full(reward.size, np.nan) for reward in rewards]
    temporal_differences.temporal_weights(rewards, states, gamma, discounts, n_states, out)
    return np.concatenate(out)


def without_discount(rewards):
    return [1.0] * len(rewards)


def test_by_hand(monkeypatch):
    """Two lanes of three steps at gamma 1/2, through states 0 and 1; lane 0 is judged by what lane 1 saw."""
    monkeypatch.setattr(temporal_differences, "ENOUGH", 1)
    rewards = [np.array([8.0, 1.0]), np.array([0.0, 5.0]), np.array([2.0, 3.0])]
    states = [np.array([0, 0]), np.array([1, 1]), np.array([0, 0])]
    found = temporal_weights(rewards, states, 0.5, without_discount(rewards), 2)
    # Lane 1 got 3 a step in the mean: -2 in state 0, 2 in state 1, then 0 and the end. So v0 = -2 + v1/2 and
    # v1 = 2 + v0/2: v0 = -4/3, v1 = 4/3. Lane 0 goes from 0, with 8 - 3, to 1: 5 + 2/3, less the mean -4/3 of
    # such steps; then with 0 - 3 to 0: -3 - 2/3 less 4/3. Both over 1/2; what nothing follows is left out.
    np.testing.assert_allclose(found[[0, 2, 4]], [14.0, -10.0, 0.0])
    # Lane 0 got 10/3 a step: v0 = 14/3 + v1/2, v1 = -10/3 + v0/2, so v0 = 4 and v1 = -4/3.
    np.testing.assert_allclose(found[[1, 3, 5]], [2 * (1 - 8), 2 * (5 - 0), 0.0])


def test_where_nothing_can_follow_the_reward_is_all(monkeypatch):
    monkeypatch.setattr(temporal_differences, "ENOUGH", 1)
    rewards, states = [np.array([1.0, 5.0, 4.0, 6.0])], [np.array([0, 0, 1, 0])]
    for gamma, horizon in ((0.0, "geometric"), (0.5, 1)):
        found = signal_weights(rewards, states, gamma, horizon, "td", 2)
        # The odd lanes were in state 0 only, with 5.5 in the mean; the even ones got 1 there.
        np.testing.assert_allclose(4 * found, [1 - 5.5, 5 - 1, 4 - 5.5, 6 - 1])


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.floats(-100.0, 100.0))
def test_what_is_added_to_all_rewards_adds_nothing(seed, states, shift):
    rewards, played = random_round(seed, states=states)
    discounts = without_discount(rewards)
    plain = temporal_weights(rewards, played, GAMMA, discounts, states)
    moved = temporal_weights([reward + shift for reward in rewards], played, GAMMA, discounts, states)
    np.testing.assert_allclose(moved, plain, atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_a_lane_is_judged_by_the_other_half_alone(seed, states):
    rewards, played = random_round(seed, states=states)
    discounts = without_discount(rewards)
    plain = temporal_weights(rewards, played, GAMMA, discounts, states)
    lane = np.concatenate([np.arange(reward.size) for reward in rewards])
    for other in rewards:
        other[2:3] += 1000.0  # lane 2, where it is alive
    changed = temporal_weights(rewards, played, GAMMA, discounts, states) != plain
    assert not changed[(lane % 2 == 0) & (lane != 2)].any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_values_solve_the_equations_of_least_squares(seed, states):
    """By another way: a dense system."""
    rewards, played = random_round(seed, states=states, lanes=200)
    steps = temporal_differences._end_to_end(rewards, played, without_discount(rewards))
    where = np.flatnonzero(steps.goes_on)
    visits = np.bincount(steps.state[where], minlength=states)
    number = temporal_differences._numbered(visits > 2)  # a state that has none is gone through
    count = int((visits > 2).sum())
    targets = temporal_differences._targets(steps, 1.0, number, GAMMA)
    values = temporal_differences._values(targets, where, number[steps.state[where]], count)
    values = values[:count]
    matrix, right = np.eye(count), np.zeros(count)
    for one in where[number[steps.state[where]] >= 0]:
        row = number[steps.state[one]]
        right[row] += targets.constant[one] / visits[steps.state[one]]
        matrix[row, targets.valued[one]] -= targets.factor[one] / visits[steps.state[one]]
    np.testing.assert_allclose(values, np.linalg.solve(matrix, right), atol=1e-4)


def test_pairs_that_are_sorted_are_counted_the_same(monkeypatch):
    rewards, played = random_round(7, states=6, lanes=200)
    plain = temporal_weights(rewards, played, GAMMA, without_discount(rewards), 6)
    monkeypatch.setattr(temporal_differences, "_TABLE", 0)
    sorted_ = temporal_weights(rewards, played, GAMMA, without_discount(rewards), 6)
    np.testing.assert_array_equal(sorted_, plain)


def test_where_no_state_is_known_what_follows_counts_to_the_end(monkeypatch):
    """As in a game with more states than steps."""
    monkeypatch.setattr(temporal_differences, "ENOUGH", 10**9)
    rewards = [np.array([8.0, 1.0]), np.array([0.0, 5.0]), np.array([2.0])]
    states = [np.array([0, 0]), np.array([1, 1]), np.array([0])]
    found = temporal_weights(rewards, states, 0.5, without_discount(rewards), 2)
    # Lane 1 got 3 a step; it left state 0 only, and got 1 - 3 there, then half of 5 - 3: -1 in all. Lane 0
    # got 5, and half of what comes then: -3 + -1. Behind state 1 it got -3 and half of -1.
    np.testing.assert_allclose(found[[0, 2, 4]], [2 * (5 - 2 + 1), 2 * (-3 - 0.5 + 1), 0.0])


def test_the_noise_of_what_follows_is_gone(problem):
    """Episodes of ten steps, 256 lanes: a quarter of the variance of centred returns, and hardly an error."""
    case = problem(5, states=3, gamma=0.9)
    centred, _ = estimates(case, "geometric", "centred", lanes=256, rounds=60)
    drawn, _ = estimates(case, "geometric", "td", lanes=256, rounds=60)
    assert drawn.var(axis=0).sum() < centred.var(axis=0).sum() / 4
    error = drawn.mean(axis=0) - exact_gradient(case)
    stderr = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
    assert (np.abs(error) <= 4.5 * stderr + 0.02 * np.abs(exact_gradient(case)).max()).all()


def test_one_step_that_counts_has_no_next_state_to_value():
    with pytest.raises(InputError, match="baseline 'td' is for horizon"):
        signal_weights([np.ones(2)], [np.zeros(2, int)], 0.5, "geometric-visit", "td", 1)
