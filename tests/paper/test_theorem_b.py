"""Theorem B, and D2 for the natural gradient: any step, every state better, and a rate free of S and M."""

import math

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag, complete, line, star
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import policy, theta_shape
from bnpg_math.theory.global_optimality import largest_fall, natural_bound, natural_rounds, node_values


def descendants(dag, agent):
    found = set()
    for child in dag.children[agent]:
        found |= {child} | descendants(dag, child)
    return found


def local_advantages(dag, tables, Q):
    """A^i(s, a_Fi) without a division: strangers play 0, descendants by their tables."""
    found = []
    for agent, family in enumerate(dag.families):
        below = descendants(dag, agent)
        table = Q
        for other in range(dag.agents):
            if other not in below and other not in family:
                table = table.take([0], axis=1 + other)
        for other in reversed([one for one in dag.order if one in below]):
            chance = spread(tables[other], dag.families[other], dag.agents)
            table = (chance * table).sum(axis=1 + other, keepdims=True)
        table = table - (spread(tables[agent], family, dag.agents) * table).sum(axis=1 + agent, keepdims=True)
        order = [0, *(1 + member for member in family)]
        found.append(np.einsum(table, range(dag.agents + 1), order))
    return found


def additive_game(seed, dag, states=2, gamma=0.6):
    """A random game that is additive over a DAG."""
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
    return dense_game(f"additive {seed}", P, reward, rng.dirichlet(np.ones(states)), gamma)


def climb(game, dag, eta, rounds, thetas=None):
    """Natural updates: values, node values and gaps of pi_0, pi_1, .."""
    shapes = [theta_shape(game.states, game.actions, dag.parents[i], i) for i in range(dag.agents)]
    thetas = [np.zeros(shape) for shape in shapes] if thetas is None else thetas
    best, course = float(game.initial @ optimal_value(game).V), []
    for _ in range(rounds + 1):
        tables = [policy(theta) for theta in thetas]
        values = evaluate(game, joint_policy(tables, dag))
        nodes = node_values(dag, tables, values.Q) if dag.is_complete else [values.V]
        course.append((best - values.value, nodes))
        steps = local_advantages(dag, tables, values.Q)
        thetas = [theta + eta * step for theta, step in zip(thetas, steps, strict=True)]
    return course


def holds(game, dag, eta, course, divergence=None):
    scale = np.abs(game.reward).max() / (1 - game.gamma) ** 2
    for T in range(1, len(course)):
        bound = natural_bound(
            game.agents, game.joint_actions, game.reward_range, game.gamma, eta, T, divergence
        )
        assert course[T][0] <= bound + 1e-12 * scale
        assert largest_fall(course[T - 1][1], course[T][1]) <= 1e-12 * scale


@pytest.mark.parametrize("eta", [0.1, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("seed", range(3))
def test_theorem_b(place, seed, eta):
    """Complete DAG, any eta, from uniform: no node falls, and the gap is at most the bound, every round."""
    here = place(seed, "complete", actions=3)
    holds(here.game, here.dag, eta, climb(here.game, here.dag, eta, 40))


def test_theorem_b_does_not_depend_on_the_order(place):
    dag = Dag(3, ((2, 1), (2, 0), (1, 0)))
    here = place(4, dag)
    holds(here.game, dag, 2.0, climb(here.game, dag, 2.0, 40))


def test_theorem_b_from_elsewhere(place):
    """From another policy, log A / (1-gamma) becomes sum_s d*(s) log 1/pi_0(a*(s)|s)."""
    here = place(5, "complete")
    best = optimal_value(here.game)
    chosen = (best.policy * here.values.pi).reshape(here.game.states, -1).sum(axis=1)
    divergence = float(evaluate(here.game, best.policy).d @ -np.log(chosen))
    holds(here.game, here.dag, 0.5, climb(here.game, here.dag, 0.5, 40, here.thetas), divergence)


@pytest.mark.parametrize("eta", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("dag", [line(4), star(4), Dag(4, ((2, 0), (2, 1), (0, 1), (1, 3)))], ids=str)
def test_theorem_d2_for_the_natural_gradient(dag, eta):
    """A perfect DAG, a game additive over it: the same bound, and no state's value falls."""
    for seed in range(3):
        game = additive_game(seed, dag)
        holds(game, dag, eta, climb(game, dag, eta, 30))


def test_ten_agents_on_a_chain_need_38_logits():
    """A chain reward for ten agents of two actions: the complete DAG has 2,046 logits."""
    dag = line(10)
    rng = np.random.default_rng(0)
    actions = (2,) * 10
    reward = sum(spread(rng.normal(size=(1, 2, 2)), (i, i + 1), 10) for i in range(9))
    game = dense_game("ten", np.ones((1, *actions, 1)), reward, np.ones(1), 0.0)
    course = climb(game, dag, 20.0, 20)
    assert sum(math.prod(theta_shape(1, actions, dag.parents[i], i)) for i in range(10)) == 38
    assert course[20][0] < 1e-3
    holds(game, dag, 20.0, course)


def test_climbing_is_climbed():
    """penalty(-100), eta = 1: within 1e-5 of the optimum after 10 updates; the bound is far from that."""
    game = find_game("penalty(k=-100)")
    course = climb(game, complete(2), 1.0, 10)
    assert course[10][0] < 1e-5
    assert natural_rounds(2, 9, game.reward_range, 0.0, 1.0, 0.1) == pytest.approx((math.log(9) + 220) / 0.1)


def test_a_huge_step_is_not_policy_iteration():
    """climbing, eta = 1e5: a gap of 6 after one and two updates, 0 after three: advantages accumulate."""
    gaps = [gap for gap, _ in climb(find_game("climbing"), complete(2), 1e5, 3)]
    assert gaps[1:] == pytest.approx([6.0, 6.0, 0.0])
