"""The critic and what it is taught: advantages with lambda, the scale of returns, passes, orders of rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.learning.adam import Adam
from bnpg_math.learning.advantage_estimates import advantage_estimates, standardised
from bnpg_math.learning.critic import (
    CriticSettings,
    critic_gradient,
    critic_pass,
    critic_values,
    explained_variance,
)
from bnpg_math.learning.episodes import episode_returns_to_go
from bnpg_math.learning.minibatches import minibatches
from bnpg_math.learning.value_normaliser import scale, updated
from bnpg_math.networks.mlp import initial
from tests.bnpg_math.network_cases import agree


def _round(seed, steps=7, lanes=5):
    rng = np.random.default_rng(seed)
    rewards, values, after = rng.normal(size=(3, steps, lanes))
    ends = rng.random((2, steps, lanes)) < 0.25
    return rewards, values, after, ends[0], ends[1]


def _by_definition(rewards, values, after, terminated, truncated, gamma, lam):
    """A_t = sum_k (gamma lam)^k delta_{t+k} up to the end of the episode, lane by lane."""
    steps, lanes = rewards.shape
    found = np.zeros((steps, lanes))
    for lane in range(lanes):
        for t in range(steps):
            factor = 1.0
            for k in range(t, steps):
                cut = truncated[k, lane] or k == steps - 1
                following = after[k, lane] if cut else values[min(k + 1, steps - 1), lane]
                following = 0.0 if terminated[k, lane] else following
                found[t, lane] += factor * (rewards[k, lane] + gamma * following - values[k, lane])
                factor *= gamma * lam
                if terminated[k, lane] or truncated[k, lane]:
                    break
    return found


@given(seed=st.integers(0, 500), gamma=st.sampled_from([0.0, 0.9, 1.0]), lam=st.sampled_from([0.0, 0.5, 1.0]))
def test_advantages_are_those_of_the_definition(seed, gamma, lam):
    given_round = _round(seed)
    advantages, returns = advantage_estimates(*given_round, gamma, lam)
    np.testing.assert_allclose(advantages, _by_definition(*given_round, gamma, lam), atol=1e-12)
    np.testing.assert_array_equal(returns, advantages + given_round[1])


def test_with_lambda_1_and_no_critic_they_are_returns_to_go():
    rewards, _, _, terminated, _ = _round(3)
    zeros, never = np.zeros_like(rewards), np.zeros_like(terminated)
    advantages, _ = advantage_estimates(rewards, zeros, zeros, terminated, never, 0.9, 1.0)
    np.testing.assert_allclose(advantages, episode_returns_to_go(rewards, terminated, 0.9), atol=1e-12)


def test_the_true_critic_leaves_no_advantage():
    # r = 1 for ever: V = 1 / (1 - gamma), at a truncation and at the end of the round too, 1 before the end.
    ones, last = np.ones((4, 2)), np.full((4, 2), 10.0)
    never = np.zeros((4, 2), dtype=bool)
    cut = never.copy()
    cut[1, 0] = True
    advantages, returns = advantage_estimates(ones, last, last, never, cut, 0.9, 0.7)
    np.testing.assert_allclose(advantages, 0.0, atol=1e-13)
    np.testing.assert_allclose(returns, 10.0)
    over = never.copy()
    over[3] = True
    advantages, _ = advantage_estimates(ones, last, last, over, never, 0.9, 0.0)
    np.testing.assert_allclose(advantages[3], -9.0)


def test_what_comes_after_counts_only_where_an_episode_is_cut():
    rewards, values, after, terminated, truncated = _round(5)
    counts = truncated & ~terminated
    counts[-1] = ~terminated[-1]
    other = np.where(counts, after, np.nan)
    expected, _ = advantage_estimates(rewards, values, after, terminated, truncated, 0.9, 0.8)
    got, _ = advantage_estimates(rewards, values, other, terminated, truncated, 0.9, 0.8)
    np.testing.assert_array_equal(got, expected)
    with pytest.raises(ValueError, match="must share a shape"):
        advantage_estimates(rewards, values[:1], after, terminated, truncated, 0.9, 0.8)


def test_advantages_are_standardised_over_what_counts():
    rng = np.random.default_rng(1)
    advantages, counted = rng.normal(3.0, 7.0, size=(9, 4)), rng.random((9, 4)) < 0.6
    found = standardised(advantages, counted)
    np.testing.assert_allclose([found[counted].mean(), found[counted].std()], [0.0, 1.0], atol=1e-13)
    assert not found[~counted].any()
    everything = np.ones(3, dtype=bool)
    assert not standardised(np.full(3, 0.1), everything).any()
    assert not standardised(np.zeros(3), everything).any()
    assert not standardised(np.ones(3), ~everything).any()
    with pytest.raises(ValueError, match="one flag an advantage"):
        standardised(np.ones(3), everything[:2])


@given(seed=st.integers(0, 200), offset=st.sampled_from([0.0, 1e6, -1e9]))
def test_the_scale_of_several_rounds_is_that_of_all_their_returns(seed, offset):
    rng = np.random.default_rng(seed)
    rounds = [offset + rng.normal(size=rng.integers(1, 9)) for _ in range(4)]
    state = {}
    for returns in rounds:
        state = updated(state, returns, 1.0)
    together = np.concatenate(rounds)
    assert scale(state).mean == pytest.approx(together.mean(), rel=1e-12, abs=1e-12)
    assert scale(state).deviation == pytest.approx(together.std(), rel=1e-5)


def test_former_rounds_are_forgotten_at_the_rate_given():
    state = updated(updated({}, np.array([0.0, 2.0]), 0.5), np.array([10.0]), 0.5)
    weights, returns = np.array([0.5, 0.5, 1.0]), np.array([0.0, 2.0, 10.0])
    mean = float(weights @ returns) / 2.0
    assert scale(state).mean == pytest.approx(mean)
    assert scale(state).deviation == pytest.approx(math.sqrt(float(weights @ (returns - mean) ** 2) / 2.0))
    newest = updated(state, np.array([4.0, 6.0]), 0.0)
    assert tuple(scale(newest)) == (5.0, 1.0)
    assert updated(state, np.zeros(0), 0.5) is state


def test_returns_that_are_all_alike_are_shifted_only_and_come_back():
    assert tuple(scale({})) == (0.0, 1.0)
    alike = scale(updated({}, np.full(7, 0.1), 1.0))
    assert alike.deviation == 1.0
    returns = np.array([3.0, -2.0, 8.0])
    found = scale(updated({}, returns, 1.0))
    np.testing.assert_allclose(found.normal(returns).std(), 1.0)
    np.testing.assert_allclose(found.real(found.normal(returns)), returns)


def _critic(rows=150, seed=0):
    rng = np.random.default_rng(seed)
    theta = initial(seed, 3, 6, (9, 8), 1, 1.0)
    inputs = rng.normal(size=(rows, 6))
    return theta, inputs, np.sin(inputs[:, 0]) + inputs[:, 1]


@pytest.mark.parametrize("clip", [math.inf, 0.2])
def test_the_critics_gradient_is_that_of_the_worse_of_both_errors(clip):
    theta, inputs, targets = _critic()
    before = critic_values(theta, inputs) + np.random.default_rng(2).normal(size=150) * 0.4

    def height(at):
        value = critic_values(at, inputs)
        held = before + np.clip(value - before, -clip, clip)
        return float(-0.5 * np.maximum((value - targets) ** 2, (held - targets) ** 2).mean())

    gradient = critic_gradient(theta, inputs, targets, before, clip)
    agree(gradient, height, theta, tolerance=1e-6)
    if clip < 1.0:
        free = critic_gradient(theta, inputs, targets, before, math.inf)
        assert not np.array_equal(free["0.weight"], gradient["0.weight"])


def test_passes_teach_the_critic_and_are_the_same_bits_again():
    theta, inputs, targets = _critic(1100)
    before = critic_values(theta, inputs)
    results = []
    for _ in range(2):
        found, state = theta, {}
        for number in range(12):
            found, state = critic_pass(
                found,
                state,
                inputs,
                targets,
                before,
                CriticSettings(4, longest=5.0),
                Adam(),
                0.01,
                (1, 3, 0),
                number,
            )
        results.append(found)
    assert all(np.array_equal(array, results[1][name]) for name, array in results[0].items())
    assert explained_variance(before, targets) < 0.5
    assert explained_variance(critic_values(results[0], inputs), targets) > 0.9


def test_explained_variance_knows_its_ends():
    returns = np.array([1.0, 2.0, 6.0])
    assert explained_variance(returns, returns) == 1.0
    assert explained_variance(np.full(3, 4.0), returns) == 0.0
    assert explained_variance(-returns, returns) < 0.0
    assert explained_variance(returns, np.ones(3)) is None
    assert explained_variance(np.zeros(0), np.zeros(0)) is None


@given(rows=st.integers(0, 200), parts=st.integers(1, 9), seed=st.integers(0, 2**64 - 1))
def test_minibatches_hold_every_row_once_in_parts_of_nearly_one_size(rows, parts, seed):
    found = minibatches(seed, 2, 5, 1, rows, parts)
    assert sorted(np.concatenate(found).tolist() if found else []) == list(range(rows))
    sizes = [len(part) for part in found]
    assert len(found) == min(rows, parts)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_the_order_of_rows_is_addressed():
    first = np.concatenate(minibatches(1, 2, 3, 4, 50, 2))
    np.testing.assert_array_equal(first, np.concatenate(minibatches(1, 2, 3, 4, 50, 2)))
    for address in ((2, 2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5)):
        assert not np.array_equal(first, np.concatenate(minibatches(*address, 50, 2)))
    with pytest.raises(ValueError, match="1 part, got 5 and 0"):
        minibatches(0, 0, 0, 0, 5, 0)
