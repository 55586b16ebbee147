import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.chance.prefetch import PrefetchedUniforms
from bnpg_math.chance.streams import Purpose, uniforms

turns = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 3), st.sampled_from([0, 4]), st.integers(0, 9), st.booleans()
    ),
    max_size=30,
)


@given(turns=turns, streams=st.integers(1, 3))
def test_whatever_was_drawn_ahead_every_turn_gets_the_numbers_of_its_address(turns, streams):
    ahead = PrefetchedUniforms(7, Purpose.TRANSITIONS, range(streams))
    for round_, time, lane, count, draws in turns:
        taken = ahead.take(round_, time, lane, count)
        for index in range(streams):
            expected = uniforms(7, Purpose.TRANSITIONS, index, round_, time, count, lane)
            np.testing.assert_array_equal(taken[index], expected)
        if draws:
            ahead.draw()


def test_the_next_turn_is_drawn_while_there_is_time_and_not_again(monkeypatch):
    ahead = PrefetchedUniforms(7, Purpose.ACTIONS, range(3, 4))
    ahead.take(0, 0, 0, 8)
    ahead.draw()
    monkeypatch.setattr("bnpg_math.chance.prefetch.uniforms", None)
    taken = ahead.take(0, 1, 0, 5)
    np.testing.assert_array_equal(taken[0], uniforms(7, Purpose.ACTIONS, 3, 0, 1, 5))


def test_numbers_of_an_earlier_round_are_not_kept():
    ahead = PrefetchedUniforms(7, Purpose.ACTIONS, range(1))
    for round_ in range(5):
        ahead.take(round_, 0, 0, 4)
        ahead.draw()
    assert {round_ for round_, _, _ in ahead._drawn} == {4}


def test_small_turns_are_drawn_several_at_once_and_large_ones_one_by_one(monkeypatch):
    small, large = (PrefetchedUniforms(7, Purpose.ACTIONS, range(1)) for _ in range(2))
    small.take(0, 0, 0, 16)
    large.take(0, 0, 0, 4096)
    small.draw()
    large.draw()
    assert len(large._drawn) == 1
    monkeypatch.setattr("bnpg_math.chance.prefetch.uniforms", None)
    for time in range(1, 16):
        taken = small.take(0, time, 0, 16)
        np.testing.assert_array_equal(taken[0], uniforms(7, Purpose.ACTIONS, 0, 0, time, 16))
        small.draw()
