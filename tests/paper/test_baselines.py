"""Baselines: what is proved of the direct parameterisation, and of policy iteration on a graph of agents."""

import math
from itertools import pairwise

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag, complete, empty, line, random_dag, star
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.graph_iteration import graph_policy_iteration, sweep
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.response import best_response
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.learning.direct import direct_gradients
from bnpg_math.policies.simplex import nearest_distributions
from bnpg_math.theory.constants import sizes
from bnpg_math.theory.direct import direct_rounds, direct_smoothness, first_order_gaps, step_length

DAGS = [empty(3), line(3), star(3), complete(3), Dag(3, ((0, 2), (1, 2)))]


def random_game(seed, states=2, agents=3, gamma=0.7):
    rng = np.random.default_rng(seed)
    actions = tuple(int(n) for n in rng.integers(2, 4, size=agents))
    transition = rng.dirichlet(np.ones(states), size=(states, *actions))
    reward = rng.normal(size=(states, *actions))
    return dense_game(f"baseline {seed}", transition, reward, rng.dirichlet(np.ones(states)), gamma)


def shapes(game, dag):
    return [
        (game.states, *(game.actions[parent] for parent in parents), game.actions[agent])
        for agent, parents in enumerate(dag.parents)
    ]


def random_tables(game, dag, rng, spread_out=1.0):
    return [nearest_distributions(spread_out * rng.normal(size=shape)) for shape in shapes(game, dag)]


def uniform(game, dag):
    return [np.full(shape, 1.0 / shape[-1]) for shape in shapes(game, dag)]


def at(game, dag, tables):
    values = evaluate(game, joint_policy(tables, dag))
    return values, direct_gradients(values.d, tables, values.Q, dag)


def projected(tables, gradients, eta):
    return [
        nearest_distributions(table + eta * gradient)
        for table, gradient in zip(tables, gradients, strict=True)
    ]


def inner(left, right):
    return sum(float((one * other).sum()) for one, other in zip(left, right, strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_no_distribution_is_nearer_than_the_projection(seed):
    """<x - p, q - p> <= 0 for every distribution q, and so ||x - q|| >= ||x - p||."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(50, 4)) * 10.0 ** rng.uniform(-2, 2)
    p = nearest_distributions(x)
    for q in (rng.dirichlet(np.ones(4), size=50), np.eye(4)[rng.integers(4, size=50)]):
        assert (((x - p) * (q - p)).sum(axis=-1) <= 1e-12 * np.abs(x).max()).all()


@pytest.mark.parametrize("dag", DAGS, ids=str)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_the_gradient_in_the_tables_is_lipschitz_with_beta(dag, gamma):
    """||g(x) - g(y)|| <= beta ||x - y||, with gradients cleared of what is constant a row."""
    game = random_game(len(dag.edges), gamma=gamma)
    beta, rng = direct_smoothness(sizes(game, dag)), np.random.default_rng(0)
    steepest = 0.0
    for _ in range(60):
        x = random_tables(game, dag, rng)
        y = projected(x, random_tables(game, dag, rng), 10.0 ** rng.uniform(-3, 0))
        length = step_length(x, y)
        if length < 1e-9:
            continue
        bend = [one - other for one, other in zip(at(game, dag, y)[1], at(game, dag, x)[1], strict=True)]
        bend = [part - part.mean(axis=-1, keepdims=True) for part in bend]
        steepest = max(steepest, math.sqrt(inner(bend, bend)) / length)
    assert 0.0 < steepest <= beta


def test_without_a_future_the_gradient_of_two_agents_still_bends():
    """The identity game: a constant that is proportional to gamma would be 0."""
    reward = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    game = dense_game("same", np.ones((1, 2, 2, 1)), reward, np.ones(1), 0.0)
    beta = direct_smoothness(sizes(game, empty(2)))
    assert beta == 1.0
    left = [np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])]
    right = [np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])]
    bend = [b - a for a, b in zip(at(game, empty(2), left)[1], at(game, empty(2), right)[1], strict=True)]
    assert math.sqrt(inner(bend, bend)) == pytest.approx(beta * step_length(left, right))


@pytest.mark.parametrize("dag", DAGS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_projected_step_of_one_over_beta_never_lowers_the_value(dag, seed):
    """V(x+) - V(x) >= ||x+ - x||^2 / (2 eta)."""
    game, rng = random_game(seed), np.random.default_rng(seed)
    eta = 1.0 / direct_smoothness(sizes(game, dag))
    tables = random_tables(game, dag, rng)
    for _ in range(25):
        values, gradients = at(game, dag, tables)
        after = projected(tables, gradients, eta)
        rise = at(game, dag, after)[0].value - values.value
        assert rise >= step_length(tables, after) ** 2 / (2 * eta) - 1e-12
        tables = after


@pytest.mark.parametrize("dag", DAGS, ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_what_an_agent_can_gain_is_dominated_by_its_gradient(dag, seed):
    """gain_i <= max_s d'(s)/d(s) G_i, d' of its best response; zeros on the policy or not."""
    game, rng = random_game(seed), np.random.default_rng(seed)
    tables = random_tables(game, dag, rng, 2.0)
    values, gradients = at(game, dag, tables)
    first_order = first_order_gaps(gradients, tables)
    for agent in range(3):
        answer = best_response(game, dag, tables, agent)
        moved = [*tables]
        moved[agent] = answer.policy
        there = evaluate(game, joint_policy(moved, dag))
        ratio = float((there.d / values.d).max())
        assert there.value - values.value <= ratio * first_order[agent] * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("dag", [empty(2), complete(2)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_the_rounds_of_projected_ascent_suffice(dag, seed):
    game = random_game(seed, agents=2, gamma=0.3)
    size, M = sizes(game, dag), mismatch(game).M
    eta, epsilon = 1.0 / direct_smoothness(size), 0.8 * game.reward_range
    tables = uniform(game, dag)
    room = float(game.initial @ optimal_value(game).V) - at(game, dag, tables)[0].value
    promised = direct_rounds(size, epsilon, M, room)
    for _ in range(min(int(promised) + 1, 20_000)):
        tables = projected(tables, at(game, dag, tables)[1], eta)
        if nash_gap(game, dag, tables).gap <= epsilon:
            return
    raise AssertionError(f"not there after {promised} updates")


@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_mapping_bounds_the_first_order_gap(seed):
    """G_i(x+) <= 2 beta ||x+ - x|| D_i with eta = 1/beta, D_i^2 = 2 S A_P."""
    game, dag, rng = random_game(seed), line(3), np.random.default_rng(seed)
    beta = direct_smoothness(sizes(game, dag))
    tables = random_tables(game, dag, rng)
    for _ in range(10):
        after = projected(tables, at(game, dag, tables)[1], 1.0 / beta)
        length = step_length(tables, after)
        gaps = first_order_gaps(at(game, dag, after)[1], after)
        for gap, rows in zip(gaps, sizes(game, dag).parents, strict=True):
            assert gap <= 2 * beta * length * math.sqrt(2 * game.states * rows) + 1e-12
        tables = after


def test_on_the_complete_dag_the_direct_parameterisation_can_rest_far_from_the_optimum():
    """The leader plays its last action, the follower answers the others badly: gap 6, Nash gap 0."""
    game, dag = find_game("climbing"), complete(2)
    tables = [np.array([[0.0, 0.0, 1.0]]), np.array([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])]
    values, gradients = at(game, dag, tables)
    assert max(first_order_gaps(gradients, tables)) == 0.0
    for eta in (1e-3, 1.0, 1e3):
        moved = projected(tables, gradients, eta)
        assert all(np.array_equal(before, after) for before, after in zip(tables, moved, strict=True))
    assert nash_gap(game, dag, tables).gap == 0.0
    assert float(game.initial @ optimal_value(game).V) - values.value == 6.0


# Policy iteration on a graph of agents


@pytest.mark.parametrize("dag", DAGS, ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_no_state_falls_and_the_end_is_a_nash_equilibrium_on_any_dag(dag, seed):
    game = random_game(seed, states=3, gamma=0.9)
    stages = list(graph_policy_iteration(game, dag))
    scale = np.abs(stages[0].values.Q).max()
    for before, after in pairwise(stages):
        assert (after.values.V - before.values.V).min() >= -1e-11 * scale
    assert nash_gap(game, dag, stages[-1].tables).gap <= 1e-9 * scale
    # From every state, not only where the game begins.
    for state in range(game.states):
        start = dense_game("there", game.transition.to_dense(), game.reward, np.eye(3)[state], game.gamma)
        assert nash_gap(start, dag, stages[-1].tables).gap <= 1e-9 * scale


@pytest.mark.parametrize("shift", [0.0, 2.0**30, 2.0**40])
@pytest.mark.parametrize("dag", [empty(2), complete(2)], ids=str)
def test_a_constant_in_all_rewards_changes_nothing_of_policy_iteration(dag, shift):
    """Whole payoffs, so that the constant rounds none of them: the same teams, round by round."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        transition = rng.integers(1, 9, size=(3, 2, 2, 3)) * 1.0
        transition /= transition.sum(axis=-1, keepdims=True)
        reward = rng.integers(0, 5, size=(3, 2, 2)) * 1.0
        plain, moved = (
            graph_policy_iteration(dense_game("whole", transition, payoff, np.full(3, 1 / 3), 0.9), dag)
            for payoff in (reward, reward + shift)
        )
        for one, other in zip(plain, moved, strict=True):
            for table, there in zip(one.tables, other.tables, strict=True):
                np.testing.assert_array_equal(table, there)


def test_a_first_round_that_raises_nothing_is_not_the_end():
    """Against a uniform partner both columns are worth 1, and both rows of the first; (0, 1) is worth 2."""
    reward = np.array([[[1.0, 2.0], [1.0, 0.0]]])
    game = dense_game("level", np.ones((1, 2, 2, 1)), reward, np.ones(1), 0.0)
    stages = list(graph_policy_iteration(game, empty(2)))
    assert [stage.values.value for stage in stages] == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("seed", range(6))
def test_a_single_agents_update_never_lowers_what_q_promises(seed):
    """Agent after agent, Q(s, pi'(s)) rises, though the DAG is any and descendants answer anew."""
    rng = np.random.default_rng(seed)
    game, dag = random_game(seed, agents=4), random_dag(4, 0.5, rng)
    tables = [np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])] for shape in shapes(game, dag)]
    values = evaluate(game, joint_policy(tables, dag))
    after = joint_policy(sweep(values.Q, tables, dag), dag)
    promised = (after * values.Q).reshape(game.states, -1).sum(axis=1)
    assert (promised >= values.V - 1e-12 * np.abs(values.Q).max()).all()


def additive_game(seed, dag, states=3, gamma=0.8):
    rng = np.random.default_rng(seed)
    actions = tuple(int(n) for n in rng.integers(2, 4, size=dag.agents))
    shares = rng.dirichlet(np.ones(dag.agents))
    P, reward = np.zeros((states, *actions, states)), np.zeros((states, *actions))
    for share, family in zip(shares, dag.families, strict=True):
        shape = (states, *(actions[agent] for agent in family))
        local = rng.dirichlet(np.ones(states), size=shape)
        P += share * np.stack([spread(part, family, dag.agents) for part in np.moveaxis(local, -1, 0)], -1)
        reward += spread(rng.normal(size=shape), family, dag.agents)
    P /= P.sum(axis=-1, keepdims=True)
    return dense_game(f"additive {seed}", P, reward, np.ones(states) / states, gamma)


@pytest.mark.parametrize(
    "dag", [line(4), star(4), empty(3), Dag(4, ((2, 0), (2, 1), (0, 1), (1, 3))), complete(3)], ids=str
)
@pytest.mark.parametrize("seed", range(4))
def test_where_local_terms_add_up_a_round_is_one_of_policy_iteration(dag, seed):
    """Q(s, pi'(s)) = max_a Q(s, a), so V* - V falls by gamma at least, and the end is the optimum."""
    game = additive_game(seed, dag) if not dag.is_complete else random_game(seed, states=3)
    best = optimal_value(game).V
    stages = list(graph_policy_iteration(game, dag))
    for before, after in pairwise(stages):
        promised = (joint_policy(after.tables, dag) * before.values.Q).reshape(game.states, -1).sum(axis=1)
        largest = before.values.Q.reshape(game.states, -1).max(axis=1)
        np.testing.assert_allclose(promised, largest, rtol=0, atol=1e-11 * np.abs(largest).max())
        left = (best - before.values.V).max()
        assert (best - after.values.V).max() <= game.gamma * left + 1e-10
    np.testing.assert_allclose(stages[-1].values.V, best, rtol=0, atol=1e-10)


def test_without_the_edge_policy_iteration_ends_below_the_optimum():
    """Climbing: from the uniform team agents that do not see each other end in a Nash equilibrium of 7."""
    game = find_game("climbing")
    alone = list(graph_policy_iteration(game, empty(2)))[-1]
    assert alone.values.value == pytest.approx(7.0)
    assert nash_gap(game, empty(2), alone.tables).gap <= 1e-12
    together = list(graph_policy_iteration(game, complete(2)))
    assert together[1].values.value == pytest.approx(11.0)
