from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, complete, empty
from bnpg_math.exact import gauge
from bnpg_math.exact.equilibrium import best_response, nash_gap
from bnpg_math.exact.gauge import Gauge, _Measured
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.rounding import softmax_rounding
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as built_in
from bnpg_math.policies.softmax import policy, theta_shape


def enumerated_best_value(case, agent):
    """The best of all deterministic tables pi^i(.|s, aP), one by one."""
    shape = case.tables[agent].shape
    rows = int(np.prod(shape[:-1]))
    best = -np.inf
    for choice in product(range(shape[-1]), repeat=rows):
        tables = list(case.tables)
        tables[agent] = np.eye(shape[-1])[list(choice)].reshape(shape)
        best = max(best, evaluate(case.game, joint_policy(tables, case.dag)).value)
    return best


@given(seed=st.integers(0, 10**6), agent=st.integers(0, 2))
@settings(max_examples=40)
def test_no_deterministic_deviation_is_better(problem, seed, agent):
    """Ancestors are conditioned on, descendants react: any DAG, small sizes."""
    case = problem(seed, states=2)
    agent %= case.game.agents
    shape = case.tables[agent].shape
    if shape[-1] ** int(np.prod(shape[:-1])) > 300:
        return
    response = best_response(case.game, case.dag, case.tables, agent)
    assert response.value == pytest.approx(enumerated_best_value(case, agent), abs=1e-10)
    tables = list(case.tables)
    tables[agent] = response.policy
    values = evaluate(case.game, joint_policy(tables, case.dag))
    np.testing.assert_allclose(values.V, response.V, atol=1e-10)


@given(seed=st.integers(0, 10**6))
def test_the_gap_is_the_largest_gain_and_at_most_the_optimality_gap(problem, seed):
    case = problem(seed)
    values = evaluate(case.game, case.joint)
    gap, per_agent = nash_gap(case.game, case.dag, case.tables, values)
    assert gap == max(per_agent)
    assert min(per_agent) >= 0.0
    assert gap <= case.game.initial @ optimal_value(case.game).V - values.value + 1e-9
    again = nash_gap(case.game, case.dag, case.tables)
    assert again.gap == pytest.approx(gap, abs=1e-12)


def test_a_gap_that_is_lost_is_not_zero(problem, monkeypatch):
    """max(0, NaN) is 0: where neither doubles nor integers decide, nothing is claimed."""
    case = problem(5, dag=complete(2), states=2)
    monkeypatch.setattr(gauge, "is_affordable", lambda game: False)
    monkeypatch.setattr(gauge, "evaluate", lambda game, pi: lost)
    present = evaluate(case.game, case.joint)
    lost = replace(present, V=present.V * np.nan, Q=present.Q * np.nan, value=np.nan)
    gaps = Gauge(case.game).gaps(case.dag, case.tables, lost)
    assert np.isnan(gaps.nash.gap)
    assert np.isnan(gaps.optimality_gap)
    assert gaps.nash.upper == gaps.optimality_gap_upper == np.inf


def test_what_doubles_lose_integers_find(problem):
    case = problem(5, dag=complete(2), states=2)
    present = evaluate(case.game, case.joint)
    lost = replace(present, V=present.V * np.nan, Q=present.Q * np.nan, value=np.nan)
    expected, found = (Gauge(case.game).gaps(case.dag, case.tables, values) for values in (present, lost))
    assert found.nash.gap == pytest.approx(expected.nash.gap, rel=1e-12)
    assert found.optimality_gap == pytest.approx(expected.optimality_gap, rel=1e-12)
    assert found.value == pytest.approx(expected.value, rel=1e-12)


@pytest.mark.parametrize("spec", ["coordination(agents=3)", "slotted_aloha", "congestion"])
@pytest.mark.parametrize("size", [1.0, 12.0])
def test_all_ways_to_a_gap_agree(spec, size):
    """Doubles, advantages with twice the digits, integers, centred rewards."""
    game = built_in(spec)
    dag = complete(game.agents)
    rng = np.random.default_rng(1)
    tables = [
        policy(size * rng.normal(size=theta_shape(game.states, game.actions, dag.parents[i], i)))
        for i in range(game.agents)
    ]
    judged = _Measured(Gauge(game), dag, tables, evaluate(game, joint_policy(tables, dag)))
    for agent in range(game.agents):
        ways = [judged._deviations[agent].gain, judged._shaped_gain(agent), judged._precise_gain(agent)]
        ways.append(judged._centred_gain(agent))
        exact = ways[2].number
        for way in ways:
            assert abs(way.number - exact) <= way.error + ways[2].error
            assert way.number == pytest.approx(exact, rel=1e-6, abs=1e-9)


def test_large_games_are_judged_without_their_tensor(monkeypatch):
    """And shifted rewards are centred."""
    game = built_in("coordination(agents=8)")
    monkeypatch.setattr(type(game.transition), "to_dense", lambda self: pytest.fail("2^24 numbers"))
    shifted = replace(game, reward=game.reward + 1e9)
    tables = [policy(np.zeros(theta_shape(256, game.actions, (), i))) for i in range(8)]
    plain, moved = (Gauge(played).gaps(empty(8), tables) for played in (game, shifted))
    assert moved.nash.gap == pytest.approx(plain.nash.gap, rel=1e-6)
    assert moved.optimality_gap == pytest.approx(plain.optimality_gap, rel=1e-6)
    best = [np.full((256, 2), 0.0) for _ in range(8)]
    for table in best:
        table[:, 1] = 1.0
    done = Gauge(game).gaps(empty(8), best, each_agent=False)
    assert done.nash.gap <= done.nash.upper < 1e-6


def test_the_bounds_of_a_policy_file_allow_for_its_softmax():
    game = built_in("climbing")
    tables = [policy(np.zeros((1, 3))), policy(np.zeros((1, 3, 3)))]
    plain, allowed = (
        Gauge(game).gaps(complete(2), tables, off=off) for off in (0.0, softmax_rounding(tables))
    )
    assert plain.nash.gap == allowed.nash.gap
    assert plain.nash.upper < allowed.nash.upper < plain.nash.upper + 1e-10


def test_a_single_agents_best_response_is_the_optimum(problem):
    case = problem(4, dag=Dag(1), states=3, gamma=0.8)
    response = best_response(case.game, case.dag, case.tables, 0)
    np.testing.assert_allclose(response.V, optimal_value(case.game).V, rtol=1e-12)


def test_a_bad_equilibrium_of_independent_agents_is_none_for_a_follower():
    """The climbing game at (1, 1): nobody gains alone, but a leader whose follower reacts does."""
    game = built_in("climbing")
    stay = np.array([[0.0, 1.0, 0.0]])
    assert nash_gap(game, empty(2), [stay, stay]).gap == 0.0
    reacts = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    gap, per_agent = nash_gap(game, complete(2), [stay, reacts])
    assert per_agent == (4.0, 0.0)
    assert gap == 4.0


def test_rows_that_are_never_reached_do_not_matter():
    game = built_in("climbing")
    leader = np.array([[1.0, 0.0, 0.0]])
    follower = np.array([[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    response = best_response(game, complete(2), [leader, follower], 1)
    assert response.value == 11.0
    np.testing.assert_array_equal(response.policy, follower)


def test_probabilities_that_underflow_leave_the_gap_exact(problem):
    """Where pi^i is 0 it cannot be divided out of the joint policy: the others are multiplied instead."""
    case = problem(3, dag=complete(3), states=2)
    thetas = [theta.copy() for theta in case.thetas]
    for theta in thetas:
        theta[..., 0] += 800.0
    tables = [policy(theta) for theta in thetas]
    assert any(table.min() == 0.0 for table in tables)
    for agent in range(3):
        gain = nash_gap(case.game, case.dag, tables).per_agent[agent]
        floored = [np.maximum(table, 1e-90) for table in tables]
        assert gain == pytest.approx(nash_gap(case.game, case.dag, floored).per_agent[agent], abs=1e-9)


def test_the_smallest_reward_is_measured_in_units_of_its_own():
    reward = np.zeros((1, 2, 2))
    reward[0, 0, 0] = 5e-324
    game = dense_game("smallest", np.ones((1, 2, 2, 1)), reward, np.ones(1), 0.0)
    dag, tables = Dag(2, ()), [np.full((1, 2), 0.5)] * 2
    found = Gauge(game).gaps(dag, tables)
    assert 0.0 < found.optimality_gap <= found.optimality_gap_upper < 1e-300
    # Tables that are off move a value by less than there is a double for.
    assert found.nash.upper < Gauge(game).gaps(dag, tables, off=1e-15).nash.upper
