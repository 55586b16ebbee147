import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.learning.schedule import scheduled


@given(eta=st.floats(1e-9, 1e3), rounds=st.integers(1, 10**6), data=st.data())
def test_a_step_size_falls_in_a_line_and_is_never_0(eta, rounds, data):
    round_ = data.draw(st.integers(0, rounds - 1))
    assert scheduled(eta, "constant", round_, rounds) == eta
    assert scheduled(eta, "linear", 0, rounds) == eta
    assert 0.0 < scheduled(eta, "linear", round_, rounds) <= eta
    assert scheduled(eta, "linear", rounds - 1, rounds) == pytest.approx(eta / rounds)


@pytest.mark.parametrize("round_", [-1, 4])
def test_there_is_no_step_size_of_a_round_that_is_none(round_):
    with pytest.raises(ValueError, match=r"round must be in 0\.\.3, got"):
        scheduled(1.0, "linear", round_, 4)
