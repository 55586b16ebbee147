"""The sampled signal: unbiased where it claims to be, and converging as 1/sqrt(n).

Every statistical statement below uses fixed seeds and a stated number of standard errors.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.cells import cells
from bnpg_math.chance.sampling import cumulative, invert, sample_actions
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.errors import InputError
from bnpg_math.exact.values import evaluate
from bnpg_math.learning.estimators import (
    BASELINES,
    HORIZONS,
    episode_lengths,
    return_statistics,
    returns_to_go,
    sampled_flow,
    signal_weights,
    visit_times,
)
from bnpg_math.learning.gradient import local_gradient
from bnpg_math.theory.stationarity import gradients

UNBIASED = [
    (horizon, baseline)
    for horizon in HORIZONS
    for baseline in BASELINES
    if (horizon, baseline) != ("geometric-visit", "td")
]


def rollout(case, horizon, lanes, seed, round_, sure=0):
    """One round of the environment and all agents, as the processes play it."""
    game, dag = case.game, case.dag
    lengths = episode_lengths(horizon, game.gamma, lanes, seed, round_, sure)
    tables = [cumulative(table) for table in case.tables]
    start = uniforms(seed, Purpose.INITIAL_STATE, 0, round_, 0, lanes)
    state = invert(cumulative(game.initial[None]), np.zeros(lanes, int), start)
    states, actions, rewards = [], [], []
    for step in range(int(lengths[0])):
        alive = int((lengths > step).sum())
        state = state[:alive]
        chosen = {}
        for agent in dag.order:
            u = uniforms(seed, Purpose.ACTIONS, agent, round_, step, alive)
            chosen[agent] = sample_actions(tables[agent], state, [chosen[p] for p in dag.parents[agent]], u)
        joint = [chosen[agent] for agent in range(game.agents)]
        states.append(state)
        actions.append(joint)
        rewards.append(game.reward[(state, *joint)])
        draws = [
            uniforms(seed, Purpose.TRANSITIONS, k, round_, step, alive) for k in range(game.transition.draws)
        ]
        state = game.transition.sample(state, cells(joint, game.actions), np.stack(draws))
    return states, actions, rewards


def estimate(case, horizon, baseline, *, lanes, seed, round_, sure=0):
    """All agents' sampled gradients, laid end to end, and the mean return."""
    game, dag = case.game, case.dag
    visits = visit_times(horizon, game.gamma, lanes, seed, round_)
    states, actions, rewards = rollout(case, horizon, lanes, seed, round_, sure)
    weights = signal_weights(rewards, states, game.gamma, horizon, baseline, game.states, visits, sure)
    flat_states = np.concatenate(states)
    flat = [np.concatenate([joint[agent] for joint in actions]) for agent in range(game.agents)]
    parts = []
    for agent, table in enumerate(case.tables):
        parents = [flat[parent] for parent in dag.parents[agent]]
        m = sampled_flow(flat_states, parents, flat[agent], weights, table.shape)
        parts.append(local_gradient(m, table).reshape(-1))
    return np.concatenate(parts), return_statistics(rewards, game.gamma, horizon, visits, sure).mean


def exact_gradient(case):
    grads = gradients(case.game, case.dag, case.tables, 0.0)
    return np.concatenate([gradient.reshape(-1) for gradient in grads])


def estimates(case, horizon, baseline, *, lanes, rounds, seed=1, sure=0):
    drawn = [
        estimate(case, horizon, baseline, lanes=lanes, seed=seed, round_=round_, sure=sure)
        for round_ in range(rounds)
    ]
    return np.array([gradient for gradient, _ in drawn]), np.array([value for _, value in drawn])


@pytest.mark.parametrize(("horizon", "baseline"), UNBIASED)
def test_the_mean_is_the_exact_gradient(problem, horizon, baseline):
    """Every entry within 4.5 standard errors, over 1500 rounds of 8 lanes."""
    case = problem(5, states=3, gamma=0.8)
    assert case.game.agents > 1
    drawn, values = estimates(case, horizon, baseline, lanes=8, rounds=1500)
    exact = exact_gradient(case)
    stderr = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact) <= 4.5 * stderr + 1e-12).all()
    assert np.abs(exact).max() > 5 * stderr.max(), "the test must be able to tell the gradient from zero"
    value = evaluate(case.game, case.joint).value
    assert abs(values.mean() - value) <= 4.5 * values.std(ddof=1) / np.sqrt(values.size)


@pytest.mark.parametrize("baseline", BASELINES)
def test_sure_steps_before_a_geometric_end_leave_the_mean_where_it_is(problem, baseline):
    case = problem(5, states=3, gamma=0.8)
    drawn, values = estimates(case, "geometric", baseline, lanes=8, rounds=1500, sure=4)
    stderr = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact_gradient(case)) <= 4.5 * stderr + 1e-12).all()
    value = evaluate(case.game, case.joint).value
    assert abs(values.mean() - value) <= 4.5 * values.std(ddof=1) / np.sqrt(values.size)


def test_sure_steps_cost_less_for_the_same_precision(problem):
    """Variance times steps, rewards far from zero, nothing centred."""
    case = problem(5, states=3, gamma=0.9)
    costs = []
    for sure in (0, 10):
        drawn, _ = estimates(case, "geometric", "cross-fit", lanes=128, rounds=60, sure=sure)
        costs.append(drawn.var(axis=0).sum() * (10.0 + sure))
    assert costs[1] < costs[0] / 1.5


def test_sure_steps_by_hand():
    """Two sure steps at gamma 1/2, rewards 1, 2, 4: G_0 = 1 + 1 + 1, gamma G_1 = 1 + 1, gamma^2 G_2 = 1."""
    rewards, states = [np.array([1.0]), np.array([2.0]), np.array([4.0])], [np.zeros(1, dtype=int)] * 3
    weights = signal_weights(rewards, states, 0.5, "geometric", "none", 1, sure=2)
    np.testing.assert_allclose(weights, [3.0, 2.0, 1.0])
    assert return_statistics(rewards, 0.5, "geometric", sure=2).mean == 3.0
    assert (
        episode_lengths("geometric", 0.5, 100, 0, 0, 2) == episode_lengths("geometric", 0.5, 100, 0, 0) + 2
    ).all()


@pytest.mark.parametrize(("horizon", "sure"), [("geometric", -1), ("geometric-visit", 2)])
def test_sure_steps_go_before_a_geometric_end_only(horizon, sure):
    with pytest.raises(InputError, match="sure steps go before a geometric horizon"):
        episode_lengths(horizon, 0.5, 4, 0, 0, sure)


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_long_truncated_horizon_is_unbiased_for_all_purposes(problem, baseline):
    case = problem(5, states=3, gamma=0.5)
    drawn, _ = estimates(case, 30, baseline, lanes=8, rounds=400)
    stderr = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact_gradient(case)) <= 4.5 * stderr + 1e-12).all()


def test_a_short_truncated_horizon_is_biased(problem):
    case = problem(5, states=3, gamma=0.8)
    drawn, _ = estimates(case, 2, "none", lanes=64, rounds=300)
    stderr = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact_gradient(case)) > 8 * stderr).any()


@pytest.mark.parametrize(("horizon", "baseline"), UNBIASED)
def test_the_error_falls_as_one_over_the_root_of_the_lanes(problem, horizon, baseline):
    """64 times the lanes give about an eighth of the error."""
    case = problem(5, states=3, gamma=0.5)
    exact = exact_gradient(case)
    errors = []
    for lanes in (32, 2048):
        drawn, _ = estimates(case, horizon, baseline, lanes=lanes, rounds=60)
        errors.append(np.sqrt(((drawn - exact) ** 2).sum(axis=1).mean()))
    assert 5.5 < errors[0] / errors[1] < 11.5


def test_the_baseline_reduces_the_variance_of_an_offset_reward(problem):
    case = problem(5, states=3, gamma=0.8)
    plain, _ = estimates(case, "geometric", "none", lanes=64, rounds=80)
    fitted, _ = estimates(case, "geometric", "cross-fit", lanes=64, rounds=80)
    assert fitted.var(axis=0).sum() < plain.var(axis=0).sum()


def test_centred_rewards_take_the_noise_of_the_length_out(problem):
    """Rewards far from zero and episodes of ten steps: a cross-fitted baseline alone leaves most of it in."""
    case = problem(5, states=3, gamma=0.9)
    fitted, _ = estimates(case, "geometric", "cross-fit", lanes=256, rounds=60)
    centred, _ = estimates(case, "geometric", "centred", lanes=256, rounds=60)
    assert centred.var(axis=0).sum() < fitted.var(axis=0).sum() / 2


def test_centring_by_hand():
    """Lanes 0 and 2 are centred by lane 1, which lives a step; lane 1 by the three steps of the others."""
    rewards = [np.array([1.0, 10.0, 4.0]), np.array([1.0])]
    states = [np.zeros(3, dtype=int), np.zeros(1, dtype=int)]
    weights = signal_weights(rewards, states, 0.5, "geometric", "centred", 1)
    # Even lanes got 1, 4, 1, on average 2; lane 1 got 10. Compared with lane 1, whose centred return is 0:
    # lane 0 has 2 - 2 * 10, then 1 - 10, lane 2 has 4 - 10. Compared with the even lanes, whose returns less
    # 2 a step are -2, -1 and 2: lane 1 has 10 - 2.
    np.testing.assert_allclose(weights * 3, [-18.0, 8.0 + 1.0 / 3.0, -6.0, -9.0])


def test_a_single_lane_has_no_other_half(problem):
    case = problem(5, states=3, gamma=0.5)
    plain, _ = estimate(case, "geometric", "none", lanes=1, seed=0, round_=0)
    for baseline in ("cross-fit", "centred"):
        fitted, _ = estimate(case, "geometric", baseline, lanes=1, seed=0, round_=0)
        np.testing.assert_array_equal(fitted, plain)


@given(
    gamma=st.floats(0, 0.99),
    lanes=st.integers(1, 50),
    seed=st.integers(0, 2**64 - 1),
    round_=st.integers(0, 100),
    horizon=st.sampled_from([7, *HORIZONS]),
)
def test_lengths_descend_and_contain_the_visit(gamma, lanes, seed, round_, horizon):
    lengths = episode_lengths(horizon, gamma, lanes, seed, round_)
    visits = visit_times(horizon, gamma, lanes, seed, round_)
    assert lengths.shape == visits.shape == (lanes,)
    assert (np.diff(lengths) <= 0).all()
    assert ((visits >= 0) & (visits < lengths)).all()
    np.testing.assert_array_equal(lengths, episode_lengths(horizon, gamma, lanes, seed, round_))


def test_lengths_are_geometric():
    lengths = episode_lengths("geometric", 0.9, 50_000, 0, 0)
    for steps in (1, 2, 10, 30):
        survival = (lengths > steps).mean()
        chance = 0.9**steps
        assert abs(survival - chance) < 4.5 * np.sqrt(chance * (1 - chance) / lengths.size)
    assert (episode_lengths("geometric", 0.0, 10, 0, 0) == 1).all()
    assert (episode_lengths(4, 0.9, 10, 0, 0) == 4).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("forever", 0.5, 1, 0, 0), "horizon must be an integer or one of geometric"),
        ((0, 0.5, 1, 0, 0), "horizon must be at least 1, got 0"),
        (("geometric", 1.0, 1, 0, 0), "gamma must be in"),
        (("geometric", 0.5, 0, 0, 0), "lanes must be at least 1, got 0"),
    ],
)
def test_bad_horizons_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        episode_lengths(*arguments)


REWARDS = [np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0]), np.array([100.0])]
STATES = [np.array([0, 1, 0]), np.array([1, 0]), np.array([1])]


def test_returns_to_go_by_hand():
    assert [r.tolist() for r in returns_to_go(REWARDS, 1.0)] == [[111, 22, 3], [110, 20], [100]]
    assert [r.tolist() for r in returns_to_go(REWARDS, 0.5)] == [[31, 12, 3], [60, 20], [100]]


def test_weights_by_hand():
    truncated = signal_weights(REWARDS, STATES, 0.5, 3, "none", 2)
    assert truncated.tolist() == [31 / 3, 4, 1, 10, 10 / 3, 25 / 3]
    geometric = signal_weights(REWARDS, STATES, 0.5, "geometric", "none", 2)
    assert geometric.tolist() == [37, 22 / 3, 1, 110 / 3, 20 / 3, 100 / 3]
    visits = np.array([1, 0, 0])
    visited = signal_weights(REWARDS, STATES, 0.5, "geometric-visit", "none", 2, visits)
    assert visited.tolist() == [0, 44 / 3, 2, 220 / 3, 0, 0]


def test_the_cross_fitted_baseline_by_hand():
    # Even lanes 0 and 2 visit state 0 with returns 111 and 3, state 1 with 110 and 100; lane 1 visits
    # state 1 with 22 and state 0 with 20.
    weights = signal_weights(REWARDS, STATES, 0.5, "geometric", "cross-fit", 2)
    expected = [111 - 20, 22 - 105, 3 - 20, 110 - 22, 20 - 57, 100 - 22]
    np.testing.assert_allclose(weights, np.array(expected) / 3)


def test_an_unvisited_state_takes_the_other_halfs_overall_mean():
    rewards, states = [np.array([5.0, 7.0])], [np.array([0, 1])]
    weights = signal_weights(rewards, states, 0.5, "geometric", "cross-fit", 3)
    np.testing.assert_allclose(weights, [(5 - 7) / 2, (7 - 5) / 2])


def test_sums_of_the_cross_fitted_baseline_run_in_the_order_of_steps_and_lanes():
    # The bits of a run depend on this order: 2**53 swallows a 1, but not two of them at once.
    rewards = [np.array([2.0**53, 0.0]), np.array([1.0, 0.0]), np.array([1.0, 0.0])]
    states = [np.zeros(2, dtype=np.uint8)] * 3
    weights = signal_weights(rewards, states, 0.0, 3, "cross-fit", 1)
    assert -2 * weights[1] == 2.0**53 / 3


def test_rewards_are_left_as_they_were():
    before = [reward.copy() for reward in REWARDS]
    for horizon in (3, "geometric"):
        signal_weights(REWARDS, STATES, 0.5, horizon, "cross-fit", 2)
        return_statistics(REWARDS, 0.5, horizon)
    for reward, was in zip(REWARDS, before, strict=True):
        np.testing.assert_array_equal(reward, was)


def test_return_statistics_by_hand():
    statistics = return_statistics(REWARDS, 0.5, "geometric")
    assert statistics.mean == pytest.approx((111 + 22 + 3) / 3)
    assert statistics.stderr == pytest.approx(np.std([111, 22, 3], ddof=1) / np.sqrt(3))
    assert return_statistics(REWARDS, 0.5, 3).mean == pytest.approx((31 + 12 + 3) / 3)
    visits = np.array([1, 0, 0])
    assert return_statistics(REWARDS, 0.5, "geometric-visit", visits).mean == pytest.approx((11 + 2 + 3) / 3)
    assert return_statistics([np.array([4.0])], 0.5, 1).stderr is None


def test_missing_visits_and_unknown_baselines_are_refused():
    with pytest.raises(InputError, match="needs the lanes' visit times"):
        signal_weights(REWARDS, STATES, 0.5, "geometric-visit", "none", 2)
    with pytest.raises(InputError, match="needs the lanes' visit times"):
        return_statistics(REWARDS, 0.5, "geometric-visit")
    with pytest.raises(InputError, match="baseline must be one of none, cross-fit, centred"):
        signal_weights(REWARDS, STATES, 0.5, 3, "magic", 2)


def test_sampled_flow_sums_weights_by_cell():
    m = sampled_flow(
        np.array([0, 1, 0]), [np.array([1, 0, 1])], np.array([2, 0, 2]), np.array([0.5, 1, 2]), (2, 2, 3)
    )
    expected = np.zeros((2, 2, 3))
    expected[0, 1, 2], expected[1, 0, 0] = 2.5, 1.0
    np.testing.assert_array_equal(m, expected)
