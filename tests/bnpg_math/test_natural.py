"""The natural direction against the Fisher matrix itself, and what it keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag.text import parse_dag
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game as find_game
from bnpg_math.learning.advantages import local_advantages
from bnpg_math.learning.gradient import local_flows
from bnpg_math.learning.natural import (
    RARE,
    RAREST,
    natural_direction,
    part_of,
    sampled_natural,
    side_by_side,
)
from bnpg_math.policies.softmax import log_policy, policy, theta_shape
from bnpg_math.theory.stationarity import gradients


def case(seed: int, regularization: float, edges: str = "0-1,0-2"):
    game, dag = (
        find_game(f"random(states=3, agents=3, actions=2, branching=2, seed={seed})"),
        parse_dag(edges, 3),
    )
    rng = np.random.default_rng(seed)
    logs = [
        log_policy(rng.normal(size=theta_shape(3, game.actions, dag.parents[agent], agent)))
        for agent in range(3)
    ]
    tables = [np.exp(table) for table in logs]
    values = evaluate(game, joint_policy(tables, dag))
    grads = gradients(game, dag, tables, regularization, values)
    visits = local_flows(values.pi * values.d.reshape(-1, 1, 1, 1), dag.families)
    return tables, values, grads, local_advantages(values.Q, logs, dag), visits


@pytest.mark.parametrize("regularization", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_gradient_times_the_pseudo_inverse_of_the_metric(seed: int, regularization: float) -> None:
    tables, _, grads, advantages, visits = case(seed, regularization)
    for table, gradient, advantage, visit in zip(tables, grads, advantages, visits, strict=True):
        found = natural_direction(advantage, table, visit, regularization)
        for row in np.ndindex(table.shape[:-1]):
            pi = table[row]
            weight = visit[row].sum() + regularization / (table.size / pi.size)
            metric = weight * (np.diag(pi) - np.outer(pi, pi))
            assert np.allclose(found[row], np.linalg.pinv(metric, rcond=1e-10) @ gradient[row], atol=1e-9)


def test_without_a_barrier_it_is_the_advantage_of_the_agents_own_actions() -> None:
    tables, values, _, advantages, visits = case(7, 0.0)
    # Agent 1 sees agent 0; agent 2 is averaged over.
    table = tables[2]  # pi^2[s, a0, a2]
    Q = np.einsum("sabc,sac->sab", values.Q, table)
    advantage = Q - (Q * tables[1]).sum(axis=-1, keepdims=True)
    found = natural_direction(advantages[1], tables[1], visits[1], 0.0)
    assert np.allclose(
        found - found.mean(axis=-1, keepdims=True), advantage - advantage.mean(axis=-1, keepdims=True)
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 1e-3, 10.0]),
    st.floats(0.0, 600.0),
    st.sampled_from([2, 3, 9]),
)
def test_it_never_points_downhill_and_keeps_row_sums(
    seed: int, regularization: float, spread: float, actions: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (4, 2, actions)
    pi = policy(spread * rng.normal(size=shape))
    rows = rng.random(shape[:-1])[..., None] * (rng.random((4, 2, 1)) < 0.7)  # some rows are never met
    visits = rows * pi
    advantage = rng.normal(size=shape)
    advantage -= (pi * advantage).sum(axis=-1, keepdims=True)
    gradient = visits * advantage + regularization / 8 * (1 / actions - pi)
    found = natural_direction(advantage, pi, visits, regularization)
    assert np.isfinite(found).all()
    # An advantage of 0 is computed as rounding, which counts as often as its row is met.
    rounding = 1e-12 * np.abs(gradient).max() + 1e-15 * visits.sum()
    assert np.vdot(found, gradient) >= -rounding * np.abs(found).max()
    assert np.allclose(found.sum(-1), 0.0, atol=1e-9 * max(1.0, np.abs(found).max()))
    if regularization == 0.0:
        assert np.allclose(found - found[..., :1], advantage - advantage[..., :1], rtol=0, atol=1e-13)


def test_a_barrier_pulls_at_what_has_nearly_vanished_no_harder_than_at_the_rarest() -> None:
    pi = policy(np.array([[0.0, -400.0], [0.0, np.log(RAREST)]]))
    found = natural_direction(np.zeros((2, 2)), pi, 0.1 * pi, 1.0)
    assert found[0] == pytest.approx(found[1], rel=1e-9)


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_tables_side_by_side_come_apart_again(seed: int, agents: int) -> None:
    rng = np.random.default_rng(seed)
    tables = [rng.normal(size=(3, *rng.integers(1, 4, size=rng.integers(1, 4)))) for _ in range(agents)]
    joined, starts = side_by_side(tables)
    assert joined.size == sum(table.size for table in tables)
    for table, start in zip(tables, starts, strict=True):
        assert np.array_equal(part_of(joined, start, table.shape), table)


@pytest.mark.parametrize(("start", "shape"), [(1, (2, 4)), (0, (3, 4)), (-1, (2, 2)), (0, (2, 5))])
def test_a_part_that_is_not_there_is_refused(start: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"cannot begin at column {start}"):
        part_of(np.zeros((2, 4)), start, shape)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="must share a shape"):
        natural_direction(np.zeros((2, 3)), np.full((2, 3), 1 / 3), np.zeros((2, 2)), 0.0)


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(2, 4))
def test_a_sampled_direction_points_uphill_whatever_was_met(seed: int, rows: int, actions: int) -> None:
    rng = np.random.default_rng(seed)
    pi = policy(rng.normal(scale=3.0, size=(rows, actions)))
    met = rng.integers(0, 5, size=(rows, actions)).astype(float)
    met[0, 0] += 1.0  # something was played
    gradient = rng.normal(size=(rows, actions))
    gradient -= gradient.mean(axis=1, keepdims=True)
    direction = sampled_natural(gradient, pi, met)
    assert (gradient * direction).sum() > 0.0
    assert np.allclose(direction.sum(axis=1), 0.0)


def test_with_many_samples_it_is_the_advantage_times_the_length_of_an_episode() -> None:
    rng = np.random.default_rng(5)
    pi = policy(rng.normal(scale=0.5, size=(3, 2, 4)))
    assert pi.min() > RARE
    advantage = rng.normal(size=pi.shape)
    advantage -= (pi * advantage).sum(-1, keepdims=True)
    lanes, length = 1e9, 20.0
    often = rng.dirichlet(np.ones(6)).reshape(3, 2, 1) * length
    direction = sampled_natural(often * pi * advantage, pi, lanes * often * pi)
    expected = length * (advantage - advantage.mean(-1, keepdims=True))
    assert np.allclose(direction, expected, rtol=1e-6)
