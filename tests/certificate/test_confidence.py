"""How sure a claim is, is never told as more than it is, and never as wholly."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg.certified.confidence import confidence, confidence_in_words

DELTAS = st.floats(min_value=0.0, max_value=0.5, exclude_min=True) | st.integers(1, 320).map(
    lambda places: float(f"1e-{places}")
)


def named(number: float) -> Fraction:
    """The number that the shortest digits of a float name."""
    return Fraction(repr(number))


@given(DELTAS)
def test_it_is_at_most_so_and_below_one(delta: float) -> None:
    assert confidence(delta) < 1.0
    assert named(confidence(delta)) <= 1 - named(delta)
    assert confidence(delta) == pytest.approx(1.0 - delta, abs=2e-16)


@given(DELTAS)
def test_its_percent_are_at_most_so_and_below_hundred(delta: float) -> None:
    told = Fraction(confidence_in_words(delta).partition(" %")[0])
    assert told <= 100 * (1 - named(delta))
    assert told < 100
    assert told == pytest.approx(100 * (1 - delta), abs=2e-5)


@pytest.mark.parametrize(
    ("delta", "told"),
    [
        (0.05, "95 % confidence"),
        (1e-7, "99.99999 % confidence"),
        (1.2345678e-4, "99.98765 % confidence (wrong with a probability of at most 0.00012345678)"),
        (1e-300, "99.99999 % confidence (wrong with a probability of at most 1e-300)"),
    ],
)
def test_the_probability_stands_beside_what_was_rounded(delta: float, told: str) -> None:
    assert confidence_in_words(delta) == told
