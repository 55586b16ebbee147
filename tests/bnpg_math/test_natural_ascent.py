"""Natural ascent on the complete DAG without a barrier: no step of any size harms, and 1/T bounds the gap.

V* - V_T <= (1/T) [log A / (eta (1 - gamma)) + N R / (1 - gamma)^2] from the uniform policy, whatever the
game, its number of states and eta are (docs/theory/natural-gradient.md).
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, complete
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import Values, evaluate
from bnpg_math.games.game import Game, dense_game
from bnpg_math.games.registry import game as built_in
from bnpg_math.learning.advantages import local_advantages
from bnpg_math.learning.natural import natural_direction
from bnpg_math.policies.softmax import log_policy, theta_shape

ETAS = (0.1, 1.0, 10.0, 100.0, 1000.0)


def ascent(game: Game, dag: Dag, eta: float, rounds: int) -> Iterator[Values]:
    """The values of the rounds 0 .. `rounds`."""
    thetas = [
        np.zeros(theta_shape(game.states, game.actions, dag.parents[agent], agent))
        for agent in range(game.agents)
    ]
    for _ in range(rounds + 1):
        logs = [log_policy(theta) for theta in thetas]
        tables = [np.exp(log) for log in logs]
        values = evaluate(game, joint_policy(tables, dag))
        yield values
        thetas = [
            theta + eta * natural_direction(advantage, table, table, 0.0)
            for theta, table, advantage in zip(
                thetas, tables, local_advantages(values.Q, logs, dag), strict=True
            )
        ]


def bound(game: Game, eta: float, rounds: int) -> float:
    horizon = 1.0 / (1.0 - game.gamma)
    return (
        math.log(game.joint_actions) * horizon / eta + game.agents * game.reward_range * horizon**2
    ) / rounds


def holds(game: Game, eta: float, rounds: int) -> list[Values]:
    found = list(ascent(game, complete(game.agents), eta, rounds))
    best = float(game.initial @ optimal_value(game).V)
    rounding = 1e-11 * (1.0 + np.abs(game.reward).max() / (1.0 - game.gamma))
    for before, after in pairwise(found):
        assert (after.V - before.V).min() >= -rounding
    for done, values in enumerate(found[1:], 1):
        assert best - values.value <= bound(game, eta, done) + rounding
    return found


def drawn(seed: int) -> Game:
    """A random game, with states that are met rarely or never."""
    rng = np.random.default_rng(seed)
    states, agents = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    actions = tuple(int(count) for count in rng.integers(1, 4, size=agents))
    P = rng.dirichlet(np.full(states, 0.2), size=(states, *actions))
    reward = rng.choice([1.0, 100.0]) * rng.normal(size=(states, *actions))
    mu = np.eye(states)[0]
    return dense_game(
        "drawn", P / P.sum(axis=-1, keepdims=True), reward, mu, float(rng.choice([0, 0.5, 0.9]))
    )


@pytest.mark.parametrize("eta", ETAS)
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_step_lowers_any_value_and_the_gap_falls_as_promised(eta: float, seed: int) -> None:
    holds(drawn(seed), eta, 25)


@pytest.mark.parametrize("eta", ETAS)
def test_it_climbs_out_of_where_products_of_probabilities_underflow(eta: float) -> None:
    """A step of 100 makes (1, 1) so rare that d(s) pi is 0 there, while 10 is to be found behind it."""
    reward = np.full((1, 2, 2, 3), 0.0)
    reward[0, 0] = 2.0
    reward[0, 1, 0] = 1.0
    reward[0, 1, 1] = [10.0, -100.0, -100.0]
    game = dense_game("behind", np.ones((*reward.shape, 1)), reward, np.ones(1), 0.0)
    last = holds(game, eta, 2000)[-1]
    assert 10.0 - last.value <= bound(game, eta, 2000) < 0.7
    if eta == 100.0:
        assert last.value == pytest.approx(10.0, abs=1e-12)


@pytest.mark.parametrize("eta", ETAS)
def test_penalty_does_not_stand_still_at_any_step_size(eta: float) -> None:
    game = built_in("penalty(k=-100)")
    last = holds(game, eta, 300)[-1]
    assert last.value * (1 - game.gamma) == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize("edges", [(), ((0, 1),), ((0, 1), (1, 2)), ((2, 0),)])
def test_on_a_sparse_dag_it_ends_where_nobody_gains_alone(edges: tuple[tuple[int, int], ...]) -> None:
    rng = np.random.default_rng(3)
    game = dense_game(
        "g", rng.dirichlet(np.ones(3), size=(3, 2, 2, 2)), rng.random((3, 2, 2, 2)), np.full(3, 1 / 3), 0.8
    )
    dag = Dag(3, edges)
    values = list(ascent(game, dag, 1.0, 400))
    assert values[-1].value > values[0].value
    assert abs(values[-1].value - values[-2].value) < 1e-6
