"""Bounds are told with few digits, and never claim more than is so."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg.certified.words import rounded_down, rounded_up

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=64).filter(
    lambda number: number == 0.0 or 1e-300 < abs(number) < 1e300
)
DIGITS = st.integers(1, 8)


@given(NUMBERS, DIGITS)
def test_an_upper_bound_is_told_as_no_less_and_a_lower_bound_as_no_more(number: float, digits: int) -> None:
    meant = Decimal(repr(number))
    assert Decimal(rounded_down(number, digits)) <= meant <= Decimal(rounded_up(number, digits))


@given(NUMBERS, DIGITS)
def test_what_is_told_is_off_by_less_than_the_last_digit(number: float, digits: int) -> None:
    apart = Decimal(rounded_up(number, digits)) - Decimal(rounded_down(number, digits))
    assert apart <= abs(Decimal(repr(number))) * Decimal(10) ** (1 - digits)


@pytest.mark.parametrize("number", [0.0, 0.5, -0.25, 12.0, 1e-7, 1e20])
def test_what_has_few_digits_is_told_as_it_is(number: float) -> None:
    assert float(rounded_up(number)) == float(rounded_down(number)) == number


@pytest.mark.parametrize("number", [5e-324, 1e-323, 3e-310, -1e-323])
def test_what_has_few_bits_is_told_from_what_it_is(number: float) -> None:
    assert Decimal(rounded_down(number)) <= Decimal(number) <= Decimal(rounded_up(number))
