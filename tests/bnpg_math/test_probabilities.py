"""Rows that are nearly distributions: used as they are, divided by their sums with a notice, or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bnpg_math.errors import GameError
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.games.game import Game, dense_game
from bnpg_math.games.probabilities import distributions, rounding_of
from bnpg_math.games.transitions.product import Component, ProductTransition
from bnpg_math.games.transitions.sparse import SparseTransition
from bnpg_math.games.transitions.stateless import StatelessTransition

ROWS = st.tuples(st.integers(1, 40), st.integers(0, 2**32 - 1)).map(
    lambda key: np.random.default_rng(key[1]).dirichlet(np.ones(key[0]), size=5)
)


def taken(table):
    return distributions(table, "transition", GameError)


@given(ROWS)
def test_rows_that_sum_to_one_up_to_rounding_keep_every_bit(rows):
    divided = rows / rows.sum(axis=-1, keepdims=True)
    table, notice = taken(divided)
    assert table.tobytes() == divided.tobytes()
    assert not notice


FORMATS = {
    "float32": lambda rows: rows.astype(np.float32),
    "float32, divided there": lambda rows: (r := rows.astype(np.float32)) / r.sum(axis=-1, keepdims=True),
    "float16": lambda rows: rows.astype(np.float16),
    "three digits": lambda rows: np.round(rows, 3),
    "six digits": lambda rows: np.round(rows, 6),
    "six digits in float32": lambda rows: np.round(rows, 6).astype(np.float32),
    "float64, divided carelessly": lambda rows: rows * (1 - 3e-9),
}


@pytest.mark.parametrize("form", FORMATS)
@given(ROWS)
def test_rows_of_every_precision_are_divided_by_their_sums_once_and_for_all(form, rows):
    came = np.asarray(FORMATS[form](rows), dtype=np.float64)
    if np.abs(came.sum(axis=-1) - 1).max() > 0.01:
        return  # many numbers of three digits
    try:
        table, notice = taken(came)
    except GameError:
        # One that is printed as nothing says nothing of how the others were rounded.
        assert ((came == 0) & (rows > 0)).any()
        return
    assert np.abs(table.sum(axis=-1) - 1).max() <= rounding_of(rows.shape[-1])
    np.testing.assert_allclose(table, came / came.sum(axis=-1, keepdims=True), rtol=1e-14)
    assert bool(notice) == bool(np.abs(came.sum(axis=-1) - 1).max() > 1e-12)
    again, second = taken(table)
    assert again.tobytes() == table.tobytes()
    assert not second


def test_the_notice_counts_the_rows_and_names_the_worst():
    table = np.array([[[0.333, 0.333, 0.333]], [[0.25, 0.25, 0.5]], [[0.3333, 0.3333, 0.3333]]])
    game = dense_game("g", table, np.zeros((3, 1)), np.full(3, 1 / 3), 0.9)
    assert game.notices == (
        "2 of 3 rows of transition sum to 1 only within the precision of their numbers and were divided by "
        "their sums (furthest off: transition[0, 0], 0.999)",
    )
    assert np.abs(game.transition.to_dense().sum(axis=-1) - 1).max() <= rounding_of(3)


@pytest.mark.parametrize(
    ("row", "got"),
    [
        ([0.7, 0.2], r"sum to 1, got 0.9$"),
        ([0.5, 0.501], "sum to 1, got 1.001; its numbers allow 0.001"),
        ([1 / 3, 2 / 3 - 1e-6], "sum to 1, got 0.999999; its numbers allow 1e-08"),
        ([0.123456789012345, 0.877], "sum to 1, got 1.00045678901; its numbers allow 1e-08"),
        ([0.99, 0.0], "sum to 1, got 0.99$"),
    ],
)
def test_what_no_rounding_explains_is_refused_with_its_sum(row, got):
    with pytest.raises(GameError, match=r"transition\[1\] must " + got):
        taken(np.array([[0.5, 0.5], row]))


@pytest.mark.parametrize("gamma", [0.99999, 1 - 5e-9])
def test_the_value_of_a_game_is_that_of_its_divided_rows(gamma):
    """As the rows came, V* would be 2e5 gamma / (1 - gamma) times 1e-8 too small, and worse near 1."""
    transition = np.full((1, 1, 1), 1 - 9e-9)
    game = dense_game("g", transition, np.ones((1, 1)), np.ones(1), gamma)
    assert optimal_value(game).V[0] * (1 - gamma) == pytest.approx(1.0, rel=1e-7)


def kernels(table):
    """One kernel, [A, S] for every state, as everything that it can be stored as."""
    states = table.shape[-1]
    dense = np.broadcast_to(table, (states, *table.shape)).copy()
    yield dense_game("g", dense, np.zeros(dense.shape[:-1]), np.full(states, 1 / states), 0.5).transition
    yield StatelessTransition(table)
    yield SparseTransition(csr_array(dense.reshape(-1, states)), table.shape[:-1])
    yield ProductTransition((states,), table.shape[:-1], [Component(table, agents=(0,))])


def test_every_kind_of_kernel_takes_single_precision_and_says_so():
    rng = np.random.default_rng(0)
    exact = rng.dirichlet(np.ones(6), size=3)
    exact[0, 2:] = 0.0
    table = (exact / exact.sum(axis=-1, keepdims=True)).astype(np.float32).astype(np.float64)
    assert np.abs(table.sum(axis=-1) - 1).max() > 1e-12
    for kernel in kernels(table):
        (notice,) = kernel.notices
        assert "were divided by their sums" in notice
        assert np.abs(kernel.to_dense().sum(axis=-1) - 1).max() <= rounding_of(6)
        game = Game("g", kernel, np.zeros((6, 3)), np.full(6, 1 / 6), 0.5)
        assert game.notices == kernel.notices


def test_every_kind_of_kernel_refuses_what_is_further_off():
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.ones(6), size=3)
    table[1] *= 1 + 1e-4
    good = (table.T / table.sum(axis=-1)).T
    kinds = len(list(kernels(good)))
    assert kinds == 4
    dense = np.broadcast_to(table, (6, *table.shape)).copy()
    for make in (
        lambda: dense_game("g", dense, np.zeros((6, 3)), np.full(6, 1 / 6), 0.5),
        lambda: StatelessTransition(table),
        lambda: SparseTransition(csr_array(dense.reshape(-1, 6)), (3,)),
        lambda: ProductTransition((6,), (3,), [Component(table, agents=(0,))]),
    ):
        with pytest.raises(
            GameError, match=r"\[(0, )?1\] must sum to 1, got 1.0001; its numbers allow 1e-08"
        ):
            make()
