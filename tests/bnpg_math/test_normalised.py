"""Steps of a given length along a sampled gradient with levelled rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bnpg_math.learning.normalised import FEW, normalised_direction

SHAPE = (3, 2, 4)
GRADIENTS = arrays.arrays(float, SHAPE, elements=st.floats(-1e150, 1e150, allow_subnormal=False))
MET = arrays.arrays(float, SHAPE, elements=st.integers(0, 1000).map(float))


@given(GRADIENTS, MET)
def test_the_largest_entry_is_1_and_every_entry_keeps_its_sign(gradient, met) -> None:
    found = normalised_direction(gradient, met)
    assert np.isfinite(found).all()
    if gradient.any():
        assert np.abs(found).max() == 1.0
    # An entry that is far below the largest may become 0, but none turns round.
    assert (found * np.sign(gradient) >= 0.0).all()
    assert not found[gradient == 0.0].any()


@given(GRADIENTS, MET)
def test_no_row_turns_and_rows_are_levelled_by_the_root_of_how_often_they_were_met(gradient, met) -> None:
    found = normalised_direction(gradient, met)
    by_hand = gradient / max(np.abs(gradient).max(), 1e-300)
    by_hand = by_hand / np.sqrt(met.sum(axis=-1, keepdims=True) + FEW)
    by_hand = by_hand / max(np.abs(by_hand).max(), 1e-300)
    assert np.allclose(found, by_hand, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("exponent", [-200, -1, 1, 200])
def test_units_of_rewards_change_no_bit(exponent: int) -> None:
    rng = np.random.default_rng(0)
    gradient, met = rng.normal(size=SHAPE), rng.integers(0, 50, SHAPE).astype(float)
    other = normalised_direction(gradient * 2.0**exponent, met)
    assert np.array_equal(normalised_direction(gradient, met), other)


def test_where_nothing_is_known_nothing_moves() -> None:
    assert not normalised_direction(np.zeros(SHAPE), np.zeros(SHAPE)).any()


def test_a_row_that_is_met_seldom_is_not_left_behind() -> None:
    gradient = np.array([[1.0, -1.0], [0.01, -0.01]])  # w A, met 10,000 times and once in so many steps
    met = np.array([[5000.0, 4999.0], [0.0, 0.0]])
    assert normalised_direction(gradient, met)[1, 0] == pytest.approx(1.0)
