"""Sums that round alike on every Python."""

from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.left_sum import left_sum


def test_nothing_is_kept_of_what_rounding_loses() -> None:
    assert left_sum([1e16, 1.0, 1.0]) == 1e16
    assert left_sum([]) == 0.0


@given(st.lists(st.integers(-(2**40), 2**40)))
def test_what_needs_no_rounding_is_exact(numbers: list[int]) -> None:
    assert left_sum(map(float, numbers)) == sum(numbers)
