"""Tables of probabilities that are their own theta: the nearest distribution, and the gradient in them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bnpg.conformance import check_policy
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.errors import PolicyError
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.games.probabilities import distributions
from bnpg_math.learning.direct import direct_gradients
from bnpg_math.policies.direct import TabularDirect
from bnpg_math.policies.simplex import nearest_distributions
from bnpg_math.policies.spec import parse_policy

ROWS = arrays(
    np.float64, st.tuples(st.integers(1, 3), st.integers(1, 6)), elements=st.floats(-4, 4, width=32)
)


def exactly_nearest(row: np.ndarray) -> list[Fraction]:
    """The projection in fractions: of all sets of entries that may stay positive, the nearest result."""
    x = [Fraction(float(number)) for number in row]
    best = None
    for mask in range(1, 1 << len(x)):
        kept = [k for k in range(len(x)) if mask >> k & 1]
        tau = (sum(x[k] for k in kept) - 1) / len(kept)
        candidate = [x[k] - tau if k in kept else Fraction(0) for k in range(len(x))]
        if min(candidate) >= 0:
            distance = sum((a - b) ** 2 for a, b in zip(x, candidate, strict=True))
            best = min((distance, candidate), best) if best is not None else (distance, candidate)
    assert best is not None
    return best[1]


@given(ROWS)
def test_every_row_comes_to_the_nearest_distribution(rows: np.ndarray) -> None:
    found = nearest_distributions(rows)
    for row, nearest in zip(rows, found, strict=True):
        expected = np.array([float(number) for number in exactly_nearest(row)])
        np.testing.assert_allclose(nearest, expected, rtol=0, atol=1e-14)


@given(ROWS, st.floats(-1e6, 1e6))
def test_a_projected_table_is_taken_in_to_the_bit_and_a_constant_changes_nothing(
    rows: np.ndarray, shift: float
) -> None:
    found = nearest_distributions(rows)
    assert (found >= 0.0).all()
    taken, notice = distributions(found, "pi", PolicyError)
    assert np.array_equal(taken, found)
    assert notice == ""
    np.testing.assert_allclose(nearest_distributions(rows + shift), found, rtol=0, atol=4e-9)
    np.testing.assert_allclose(nearest_distributions(found), found, rtol=0, atol=1e-15)


@pytest.mark.parametrize("scale", [1e3, 1e8, 1e300])
def test_a_huge_step_ends_in_a_corner(scale: float) -> None:
    assert nearest_distributions(scale * np.array([[0.1, 0.7, 0.2]])).tolist() == [[0.0, 1.0, 0.0]]


def random_tables(rng: np.random.Generator, dag: Dag, states: int, actions: tuple[int, ...]) -> list:
    tables = []
    for agent, parents in enumerate(dag.parents):
        shape = (states, *(actions[parent] for parent in parents), actions[agent])
        tables.append(nearest_distributions(rng.normal(size=shape)))
    return tables


@pytest.mark.parametrize("edges", [(), ((0, 1),), ((0, 2), (1, 2)), ((0, 1), (0, 2), (1, 2))])
@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_is_the_slope_of_the_value_zeros_or_not(edges: tuple, seed: int) -> None:
    rng = np.random.default_rng(seed)
    actions = (2, 3, 2)
    transition = rng.dirichlet(np.ones(2), size=(2, *actions))
    game = dense_game("slope", transition, rng.normal(size=(2, *actions)), np.array([0.7, 0.3]), 0.8)
    dag = Dag(3, edges)
    tables = random_tables(rng, dag, 2, actions)
    assert any((table == 0.0).any() for table in tables)
    values = evaluate(game, joint_policy(tables, dag))
    gradients = direct_gradients(values.d, tables, values.Q, dag)
    for agent, table in enumerate(tables):
        toward = nearest_distributions(rng.normal(size=table.shape))

        def value(share: float, agent=agent, table=table, toward=toward) -> float:
            moved = [*tables]
            moved[agent] = table + share * (toward - table)
            return evaluate(game, joint_policy(moved, dag)).value

        # One-sided, as the table may be on the boundary: three points give the slope to second order.
        h = 1e-4
        slope = (4.0 * value(h) - value(2 * h) - 3.0 * value(0.0)) / (2 * h)
        expected = float((gradients[agent] * (toward - table)).sum())
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_rows_that_are_never_met_have_no_gradient() -> None:
    reward = np.array([[[11.0, -30.0], [0.0, 7.0]]])
    game = dense_game("rare", np.ones((1, 2, 2, 1)), reward, np.ones(1), 0.0)
    dag = Dag(2, ((0, 1),))
    tables = [np.array([[0.0, 1.0]]), np.full((1, 2, 2), 0.5)]
    values = evaluate(game, joint_policy(tables, dag))
    lead, follow = direct_gradients(values.d, tables, values.Q, dag)
    assert not follow[0, 0].any()
    assert follow[0, 1, 1] - follow[0, 1, 0] == pytest.approx(7.0)
    assert lead[0, 0] - lead[0, 1] == pytest.approx(-9.5 - 3.5)


def test_a_table_of_probabilities_is_a_policy_to_learn_with() -> None:
    table = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 2))
    check_policy(TabularDirect(table), states=3, parents=(2,), actions=4)


def test_what_is_no_kind_of_policy_is_refused() -> None:
    with pytest.raises(
        PolicyError, match="policy must be table, direct or a network such as mlp:64,64, got 'tabel'"
    ):
        parse_policy("tabel")


def test_a_zero_is_never_drawn_and_its_logarithm_is_minus_infinity() -> None:
    policy = TabularDirect(np.array([[0.0, 1.0, 0.0]]))
    drawn = policy.draw(np.zeros(64, dtype=int), [], np.linspace(0, 1, 64, endpoint=False))
    assert set(drawn.tolist()) == {1}
    assert policy.log_table.tolist() == [[-np.inf, 0.0, -np.inf]]
