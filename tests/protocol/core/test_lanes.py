"""The loops over lanes: the core draws what numpy draws, with any number of outcomes and lanes."""

import numpy as np
import pytest
from bnpg_protocol import core
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.chance.sampling import cumulative, sample_actions

pytestmark = pytest.mark.skipif(core.name() == core.PYTHON, reason="the core is not compiled here")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([[1], [2], [300], [3, 2], [2, 300], [300, 1, 2], [3, 2, 3]]),
    st.sampled_from([1, 2, 3, 8, 9, 40, 300]),
    st.sampled_from([1, 7, 64, 333]),
    st.sampled_from([np.uint8, np.uint16, np.uint32]),
    st.integers(0, 2**32),
)
def test_the_core_draws_what_numpy_draws(
    axes: list[int], outcomes: int, lanes: int, seen_as: type[np.unsignedinteger], seed: int
) -> None:
    from bnpg_protocol.core._steady import drawn

    dice = np.random.default_rng(seed)
    weights = dice.random((*axes, outcomes)) * (dice.random((*axes, outcomes)) < 0.6)
    weights[..., dice.integers(outcomes)] += 0.1
    table = cumulative(weights / weights.sum(axis=-1, keepdims=True))
    least = seen_as if max(axes) <= 256 else np.uint16
    given_ = [dice.integers(0, length, lanes).astype(least) for length in axes]
    # Uniforms that are a sum of the table, too: there the next outcome begins.
    at = table.reshape(-1)
    uniforms = np.where(dice.random(lanes) < 0.5, dice.random(lanes), at[dice.integers(at.size, size=lanes)])
    uniforms = np.where(uniforms < 1.0, uniforms, 0.0)
    width = 1 if outcomes <= 256 else 2
    expected = sample_actions(table, given_[0], given_[1:], uniforms)
    raw = drawn(table, given_, uniforms[None, :], width)
    assert raw is not None
    assert np.frombuffer(raw, f"<u{width}").tolist() == expected.tolist()


@pytest.mark.parametrize("width", [1, 2, 4])
def test_what_is_not_in_the_table_is_left_to_numpy(width: int) -> None:
    from bnpg_protocol.core._steady import drawn

    states = np.zeros(50, f"<u{width}")
    uniforms = np.full((1, 50), 0.25)
    table = cumulative(np.full((3, 2), 0.5))
    assert drawn(table, [states], uniforms, 1) == bytes(50)
    states[49] = 3
    assert drawn(table, [states], uniforms, 1) is None
