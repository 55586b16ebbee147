import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.cells import FEW
from bnpg_math.chance.sampling import InverseCdf, bisect, cumulative, invert, sample_actions


@given(seed=st.integers(0, 10**6), outcomes=st.integers(1, 200), edge=st.booleans())
def test_inversion_agrees_with_a_search_row_by_row(seed, outcomes, edge):
    rng = np.random.default_rng(seed)
    pi = rng.dirichlet(np.full(outcomes, 0.2), size=4)
    pi[~np.isfinite(pi)] = 1 / outcomes
    table, rows, u = cumulative(pi), rng.integers(4, size=30), rng.random(30)
    if edge:
        u[::2] = np.nextafter(1.0, 0.0)
    expected = [int((table[row] <= x).sum()) for row, x in zip(rows, u, strict=True)]
    for drawn in (invert(table, rows, u), InverseCdf(table).draw(rows, u)):
        np.testing.assert_array_equal(drawn, expected)
        assert ((drawn >= 0) & (drawn < outcomes)).all()


@given(seed=st.integers(0, 10**6), outcomes=st.integers(3, 100), power=st.integers(0, 12))
def test_uniforms_on_the_very_edge_of_a_bucket_or_of_an_outcome_are_no_exception(seed, outcomes, power):
    rng = np.random.default_rng(seed)
    pi = rng.dirichlet(np.full(outcomes, 0.1), size=3)
    pi[0] = 1 / outcomes
    table = cumulative(np.where(np.isfinite(pi), pi, 1 / outcomes))
    edges = rng.integers(2**power, size=20) / 2**power
    sums = table[:, :-1].reshape(-1)
    u = np.concatenate([edges, sums, np.nextafter(sums, 0.0)])
    u = u[(u >= 0.0) & (u < 1.0)]
    rows = rng.integers(3, size=u.size)
    expected = [int((table[row] <= x).sum()) for row, x in zip(rows, u, strict=True)]
    np.testing.assert_array_equal(InverseCdf(table).draw(rows, u), expected)


def test_a_table_with_more_rows_than_a_guide_has_room_for_is_drawn_from_all_the_same(monkeypatch):
    monkeypatch.setattr("bnpg_math.chance.sampling._GUIDE_ENTRIES", 8)
    table = cumulative(np.random.default_rng(0).dirichlet(np.ones(20), size=4))
    rows, u = np.arange(4), np.array([0.1, 0.4, 0.7, 0.99])
    np.testing.assert_array_equal(InverseCdf(table).draw(rows, u), invert(table, rows, u))


def test_rows_end_in_exactly_one_and_impossible_outcomes_are_never_drawn():
    pi = np.array([[0.1] * 10 + [0.0], [0.0] + [0.1] * 10])
    table = cumulative(pi)
    assert (table[:, -1] == 1.0).all()
    assert invert(table, np.array([0, 1]), np.array([np.nextafter(1.0, 0.0), 0.0])).tolist() == [9, 1]


def test_bisection_handles_rows_of_different_lengths():
    sums = np.array([0.25, 1.0, 1.0, 0.1, 0.2, 1.0])
    first, end = np.array([0, 2, 3, 3]), np.array([2, 3, 6, 6])
    assert bisect(sums, first, end, np.array([0.25, 0.99, 0.0, 0.15])).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_actions_follow_the_conditional_table(count):
    rng = np.random.default_rng(count)
    pi = rng.dirichlet(np.ones(count), size=(2, 3, 2))
    lanes = 20_000
    drawn = sample_actions(
        cumulative(pi), np.ones(lanes, int), [np.full(lanes, 2), np.zeros(lanes, np.uint8)], rng.random(lanes)
    )
    frequency = np.bincount(drawn, minlength=count) / lanes
    np.testing.assert_allclose(frequency, pi[1, 2, 0], atol=4.5 / np.sqrt(4 * lanes))


def test_lanes_that_do_not_match_are_refused():
    table = cumulative(np.full((2, 3, 2), 0.5))
    with pytest.raises(ValueError, match="actions of 1 parents, got 0"):
        sample_actions(table, np.zeros(4, int), [], np.zeros(4))
    with pytest.raises(ValueError, match="must have shape"):
        sample_actions(table, np.zeros(4, int), [np.zeros(1, int)], np.zeros(4))


@given(seed=st.integers(0, 10**6), lanes=st.integers(1, 2 * FEW), parents=st.integers(0, 3))
def test_a_few_lanes_draw_what_they_draw_among_many(seed, lanes, parents):
    rng = np.random.default_rng(seed)
    shape = (5, *rng.integers(1, 4, size=parents), int(rng.integers(1, 6)))
    table = cumulative(rng.dirichlet(np.full(shape[-1], 0.3), size=shape[:-1]))
    table[~np.isfinite(table)] = 1.0
    given_ = [rng.integers(length, size=50).astype(np.uint8) for length in shape[:-1]]
    u = rng.random(50)
    u[::3] = table[tuple(given_)][::3, 0] % 1.0
    many = sample_actions(table, given_[0], given_[1:], u)
    few = sample_actions(table, given_[0][:lanes], [one[:lanes] for one in given_[1:]], u[:lanes])
    np.testing.assert_array_equal(few, many[:lanes])
    rows = np.ravel_multi_index(tuple(given_), shape[:-1])
    guided = InverseCdf(table.reshape(-1, shape[-1]))
    np.testing.assert_array_equal(guided.draw(rows[:lanes], u[:lanes]), many[:lanes])
