"""Short last axes give numpy's own numbers, only faster."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from bnpg_math.arrays.short_axis import choice, largest, lowered, scaled, total

tables = arrays(
    np.float64, array_shapes(min_dims=1, max_dims=4, max_side=9), elements=st.floats(-1e6, 1e6, width=32)
)


@given(tables)
def test_sums_maxima_and_choices_are_those_of_numpy_to_the_last_bit(array):
    np.testing.assert_array_equal(total(array), array.sum(axis=-1))
    np.testing.assert_array_equal(largest(array), array.max(axis=-1))
    np.testing.assert_array_equal(choice(array), array.argmax(axis=-1))
    rows = array.sum(axis=-1)
    np.testing.assert_array_equal(scaled(array, rows), array * rows[..., None])
    np.testing.assert_array_equal(lowered(array, rows), array - rows[..., None])
    assert total(array) is not array
