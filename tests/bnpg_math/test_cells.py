import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.cells import FEW, cells


@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int64]),
    lanes=st.sampled_from([1, FEW, FEW + 1, 30]),
)
def test_cells_are_flat_positions_in_c_order(shape, seed, dtype, lanes):
    rng = np.random.default_rng(seed)
    coordinates = [rng.integers(length, size=lanes).astype(dtype) for length in shape]
    before = [values.copy() for values in coordinates]
    np.testing.assert_array_equal(cells(coordinates, shape), np.ravel_multi_index(coordinates, shape))
    for values, kept in zip(coordinates, before, strict=True):
        np.testing.assert_array_equal(values, kept)


def test_small_tables_are_addressed_in_small_integers():
    one = np.zeros(1, dtype=np.int64)
    assert cells([one, one], (32, 2)).dtype == np.uint8
    assert cells([one, one], (128, 2)).dtype == np.uint16
    assert cells([one, one], (2**31, 2)).dtype == np.uint64
