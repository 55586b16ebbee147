import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.chance.streams import Purpose, generator, uniforms
from bnpg_math.errors import InputError

addresses = st.tuples(
    st.integers(0, 2**64 - 1),
    st.sampled_from(Purpose),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)


@given(address=addresses, counts=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_fewer_uniforms_are_a_prefix_of_more(address, counts):
    few, many = sorted(counts)
    np.testing.assert_array_equal(uniforms(*address, few), uniforms(*address, many)[:few])


@given(address=addresses, others=st.lists(addresses, max_size=3))
def test_what_was_drawn_before_does_not_matter(address, others):
    first = uniforms(*address, 5)
    for other in others:
        uniforms(*other, 3)
    np.testing.assert_array_equal(uniforms(*address, 5), first)
    np.testing.assert_array_equal(generator(*address).random(5), first)


def test_every_part_of_the_address_matters():
    base = (7, Purpose.ACTIONS, 3, 11, 5)
    changed = [
        base,
        (8, Purpose.ACTIONS, 3, 11, 5),
        (7, Purpose.TRANSITIONS, 3, 11, 5),
        (7, Purpose.ACTIONS, 4, 11, 5),
        (7, Purpose.ACTIONS, 3, 12, 5),
        (7, Purpose.ACTIONS, 3, 11, 6),
        (7, Purpose.ACTIONS, 3, 5, 11),
    ]
    drawn = [tuple(uniforms(*address, 4)) for address in changed]
    assert len(set(drawn)) == len(drawn)


def test_the_layout_is_the_documented_one():
    address = {"key": [2**64 - 1, (4 << 32) | 9], "counter": [0, 3, 2, 0]}
    philox = np.random.Philox(
        key=np.array(address["key"], dtype=np.uint64), counter=np.array(address["counter"], dtype=np.uint64)
    )
    expected = np.random.Generator(philox).random(6)
    np.testing.assert_array_equal(uniforms(2**64 - 1, Purpose.HORIZON, 9, 2, 3, 6), expected)


def test_purposes_are_never_renumbered():
    assert {purpose.name: purpose.value for purpose in Purpose} == {
        "ACTIONS": 1,
        "TRANSITIONS": 2,
        "INITIAL_STATE": 3,
        "HORIZON": 4,
        "INITIAL_THETA": 5,
        "GAME": 6,
        "ENV_SEED": 9,
        "NET_INIT": 10,
        "MINIBATCH": 11,
        "EVALUATION": 12,
    }


def test_generators_do_not_share_a_position():
    first, second = generator(1, Purpose.GAME), generator(1, Purpose.GAME)
    first.random(100)
    np.testing.assert_array_equal(second.random(3), uniforms(1, Purpose.GAME, 0, 0, 0, 3))


@pytest.mark.parametrize(
    ("seed", "index", "round_", "step"),
    [(-1, 0, 0, 0), (2**64, 0, 0, 0), (0, 2**32, 0, 0), (0, -1, 0, 0), (0, 0, -1, 0), (0, 0, 0, 2**64)],
)
def test_an_address_out_of_range_is_refused(seed, index, round_, step):
    with pytest.raises(InputError, match="must be in"):
        uniforms(seed, Purpose.ACTIONS, index, round_, step, 1)


def test_uniforms_look_uniform():
    drawn = np.concatenate([uniforms(3, Purpose.ACTIONS, 0, 0, step, 64) for step in range(500)])
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    counts = np.bincount((drawn * 16).astype(int), minlength=16)
    chi_square = ((counts - drawn.size / 16) ** 2 / (drawn.size / 16)).sum()
    assert chi_square < 37.7  # the .999 quantile with 15 degrees of freedom
