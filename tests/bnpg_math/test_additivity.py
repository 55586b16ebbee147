"""Which agents act together, and what it costs to leave an edge out."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag, complete, empty, line
from bnpg_math.errors import GameError
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import policy, theta_shape
from bnpg_math.theory import additivity as module
from bnpg_math.theory import price as module_price
from bnpg_math.theory.additivity import additivity, interactions, remainder, tolerance
from bnpg_math.theory.price import gap_left, price, price_at_any_policy, transitions_left

PAIRS = (3, 2, 3)


def local_sum(rng, families, actions, states=1):
    """A sum of random functions of families."""
    total = np.zeros((states, *actions))
    for family in families:
        table = rng.normal(size=(states, *(actions[agent] for agent in family)))
        total = total + spread(table, family, len(actions))
    return total


def additive_game(seed, dag, actions, states=3, gamma=0.8):
    """P = sum_i w_i P_i(.|s, a_Fi) and r = sum_i r_i(s, a_Fi)."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(dag.agents))
    P = np.zeros((states, *actions, states))
    for share, family in zip(shares, dag.families, strict=True):
        shape = (states, *(actions[agent] for agent in family))
        local = rng.dirichlet(np.ones(states), size=shape)
        P += share * np.stack([spread(part, family, len(actions)) for part in np.moveaxis(local, -1, 0)], -1)
    P /= P.sum(axis=-1, keepdims=True)
    return dense_game(
        "additive", P, local_sum(rng, dag.families, actions, states), np.ones(states) / states, gamma
    )


@given(seed=st.integers(0, 200))
def test_a_sum_of_local_terms_is_seen_to_be_one_over_its_dag_and_no_smaller(seed):
    dag = line(3)
    game = additive_game(seed, dag, PAIRS)
    assert additivity(game, dag).additive
    assert not additivity(game, Dag(3, ((0, 1),))).additive
    assert interactions(game).pairs == ((0, 1), (1, 2))


def test_terms_of_the_transitions_may_be_negative():
    """P = K_0 + K_1 with negative entries is as good as a mixture."""
    K = np.zeros((2, 2, 2, 2))
    K[..., 0] += np.array([0.9, 0.4]).reshape(1, 2, 1)
    K[..., 0] -= np.array([0.3, 0.1]).reshape(1, 1, 2)
    K[..., 1] = 1 - K[..., 0]
    game = dense_game("real", K, np.zeros((2, 2, 2)), np.ones(2) / 2, 0.9)
    assert additivity(game, empty(2)).additive


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_verdict_does_not_depend_on_the_unit_of_the_reward(scale):
    rng = np.random.default_rng(3)
    rewards = scale * local_sum(rng, [(0, 1), (1, 2)], PAIRS)
    game = dense_game("scaled", np.ones((1, *PAIRS, 1)), rewards, np.ones(1), 0.5)
    assert interactions(game).pairs == ((0, 1), (1, 2))
    nudged = rewards.copy()
    nudged[0, 1, 1, 1] += 1e-10 * scale
    game = dense_game("nudged", np.ones((1, *PAIRS, 1)), nudged, np.ones(1), 0.5)
    found = additivity(game, line(3))
    assert not found.additive
    assert found.tolerance < found.reward < 1e-9


@pytest.mark.parametrize("shift", [0.0, 2.0**34, -(2.0**34)])
def test_a_constant_in_the_rewards_hides_no_interaction(shift):
    """Climbing in small coins beside a large constant, every reward exact: as far from a sum as ever."""
    payoff = find_game("climbing").reward * 2.0**-17 + shift
    found = additivity(dense_game("shifted", np.ones((1, 3, 3, 1)), payoff, np.ones(1), 0.0), empty(2))
    plain = additivity(find_game("climbing"), empty(2))
    assert not found.additive
    assert found.reward == pytest.approx(plain.reward, rel=1e-12)


def test_transitions_do_not_matter_in_one_state_or_without_a_future():
    game = additive_game(0, complete(3), PAIRS, gamma=0.0)
    rewards = local_sum(np.random.default_rng(1), [(0,), (1,), (2,)], PAIRS, 3)
    local = dense_game("no future", game.transition.to_dense(), rewards, game.initial, 0.0)
    assert additivity(local, empty(3)).additive
    later = dense_game("future", game.transition.to_dense(), local.reward, game.initial, 0.5)
    assert not additivity(later, empty(3)).additive


@given(seed=st.integers(0, 100))
def test_what_is_left_is_orthogonal_to_every_local_function(seed):
    """The decomposition against plain least squares."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(2, *PAIRS))
    families = [(0, 1), (2,)]
    left = remainder(table, families)
    for family in families:
        others = tuple(1 + agent for agent in range(3) if agent not in family)
        np.testing.assert_allclose(left.sum(axis=others), 0.0, atol=1e-12)
    design = np.array([spread(one.reshape(1, 3, 2), (0, 1), 3).repeat(3, 3).ravel() for one in np.eye(6)]
                      + [np.broadcast_to(one, (1, *PAIRS)).ravel() for one in np.eye(3)]).T  # fmt: skip
    for state in range(2):
        target = table[state].ravel()
        fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
        np.testing.assert_allclose(left[state].ravel(), target - fitted, atol=1e-12)


def test_a_game_too_large_to_look_at_is_refused_in_a_line(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 10)
    with pytest.raises(GameError, match="transition probabilities; expected at most 10"):
        interactions(find_game("random"))


def test_rounding_alone_is_within_the_tolerance():
    rng = np.random.default_rng(8)
    actions = (4, 3, 5, 2)
    table = local_sum(rng, [(0, 1, 2), (1, 3)], actions)
    left = remainder(table, [(0, 1, 2), (1, 3)])
    assert np.linalg.norm(left) <= tolerance(actions) * np.linalg.norm(table)


def test_the_price_of_the_missing_edge_of_the_climbing_game():
    """Rewards 11, -30, -30, 7: the best product of two sums misses by 19.5."""
    climbing = find_game("climbing")
    assert price(climbing.reward, empty(2).families).xi == pytest.approx(19.5)
    assert price(climbing.reward, complete(2).families).xi == 0.0
    assert price_at_any_policy(climbing, empty(2).families) == pytest.approx(19.5)


def test_an_edge_is_worth_what_its_interaction_is():
    """Strong pairs 0-1 and 1-2 and a weak pair 0-2: each edge takes its share of the price away."""
    rng = np.random.default_rng(1)
    strong = local_sum(rng, [(0, 1), (1, 2)], (2, 2, 2))
    weak = 0.01 * local_sum(rng, [(0, 2)], (2, 2, 2))
    prices = [
        price(strong + weak, dag.families).xi for dag in (empty(3), Dag(3, ((0, 1),)), line(3), complete(3))
    ]
    assert prices == sorted(prices, reverse=True)
    assert prices[1] > 0.1
    assert 0.0 < prices[2] <= np.abs(weak).max()
    assert prices[3] == 0.0


@given(seed=st.integers(0, 60))
def test_the_sum_of_local_advantages_misses_by_at_most_the_price(seed):
    """|A - sum_i A^i| <= 2 (N+1) xi on a perfect DAG."""
    rng = np.random.default_rng(seed)
    dag = [empty(3), line(3), Dag(3, ((0, 1),))][seed % 3]
    game = additive_game(seed, complete(3), (2, 2, 2))
    tables = [
        policy(rng.normal(size=theta_shape(3, (2, 2, 2), dag.parents[agent], agent), scale=2.0))
        for agent in range(3)
    ]
    values = evaluate(game, joint_policy(tables, dag))
    xi = price(values.Q, dag.families).xi
    letters = "abc"
    total = np.zeros_like(values.Q)
    for agent, family in enumerate(dag.families):
        axes = "".join(letters[member] for member in family)
        weighted = np.einsum(f"sabc->s{axes}", values.pi * values.Q)
        visits = np.einsum(f"sabc->s{axes}", values.pi)
        above = weighted.sum(axis=-1, keepdims=True) / visits.sum(axis=-1, keepdims=True)
        total = total + spread(weighted / visits - above, family, 3)
        assert agent == family[-1]
    missed = np.abs(values.Q - values.V.reshape(-1, 1, 1, 1) - total).max()
    assert missed <= 2 * 4 * xi + 1e-9
    assert xi <= price_at_any_policy(game, dag.families)


def test_what_transitions_leave_bounds_the_sum_over_many_next_states_too():
    """Each of 8000 terms is rounded down when added: the sum of doubles is less than that of real numbers."""
    states = 8000
    small = 2.0**-54 * 0.99
    chances = []
    for chance in [0.5, *[small] * states]:
        table = np.zeros((1, 2, 2))
        table[0, 0, 0] = table[0, 1, 1] = 2.0 * chance
        chances.append(table)
    # Of a where a_1 = a_2 and 0 elsewhere, sums of functions of one action each leave a / 2 everywhere.
    exact = Fraction(0.5) + states * Fraction(small)
    assert Fraction(transitions_left(chances, [(0,), (1,)])) >= exact


def test_least_squares_bound_the_price_where_the_program_is_too_large(monkeypatch):
    rng = np.random.default_rng(2)
    Q = rng.normal(size=(2, 3, 3))
    exact = price(Q, [(0,), (1,)])
    monkeypatch.setattr("bnpg_math.theory.price.LARGEST_PROGRAM", 1)
    bound = price(Q, [(0,), (1,)])
    assert (exact.method, bound.method) == ("program", "least squares")
    assert exact.xi < bound.xi <= 4 * exact.xi


def test_states_that_are_alike_cost_one_program(monkeypatch):
    solved = []
    right = module_price._chebyshev
    monkeypatch.setattr(module_price, "_chebyshev", lambda *given: solved.append(1) or right(*given))
    table = np.random.default_rng(5).normal(size=(1, 3, 3))
    shifted = table + np.arange(40.0).reshape(-1, 1, 1)
    assert price(shifted, [(0,), (1,)]).xi == pytest.approx(price(table, [(0,), (1,)]).xi)
    assert len(solved) == 2


def test_a_table_of_zeros_has_no_price():
    assert price(np.zeros((2, 2, 2)), [(0,), (1,)]).xi == 0.0


@pytest.mark.parametrize("shift", [0.0, 1e9, -(2.0**52)])
def test_a_constant_in_all_values_has_no_price(shift):
    """The rewards 0, 1, 2, 3 are a sum; 1e9 beside them used to leave 1.4e-5 of it."""
    Q = shift + np.array([[[0.0, 1.0], [2.0, 3.0]], [[0.0, 2.0], [4.0, 6.0]]])
    found = price(Q, [(0,), (1,)])
    assert found.xi <= 1e-12
    assert found.rounding == found.xi


@given(seed=st.integers(0, 60))
def test_a_price_beside_a_constant_is_that_of_the_values_as_they_are(seed):
    """Two agents with two actions: in rationals, a table [[a, b], [c, d]] costs |a - b - c + d| / 4."""
    rng = np.random.default_rng(seed)
    Q = 10.0 ** rng.uniform(-3, 12) + rng.normal(size=(3, 2, 2))
    tables = [[[Fraction(float(number)) for number in row] for row in state] for state in Q]
    exact = max(abs(a - b - c + d) / 4 for (a, b), (c, d) in tables)
    found = price(Q, [(0,), (1,)])
    assert exact <= Fraction(found.xi) <= exact + 2 * Fraction(found.rounding)
    assert found.rounding <= 1e-11


def test_what_prices_leave_of_a_gap_is_not_below_what_they_do_in_rationals():
    game = find_game("coordination(agents=3)")
    exact = 8 * Fraction(0.1) / (1 - Fraction(game.gamma))
    assert exact <= Fraction(gap_left(game, 0.1)) <= exact * (1 + Fraction(1, 10**11))
