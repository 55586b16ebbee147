"""What agents say of their updates goes into the record, whatever it is."""

import math

import pytest
from bnpg_coordinator.line import GENESIS, Line, decode_line, encode_line
from bnpg_coordinator.rounds import _means
from bnpg_protocol.wire.messages import UpdateReported

ODD = [1e308, -1e308, math.inf, -math.inf, math.nan, 0.0]


@pytest.mark.parametrize("one", ODD)
@pytest.mark.parametrize("other", ODD)
def test_numbers_without_a_mean_are_null_with_a_reason(one: float, other: float) -> None:
    means = _means({0: UpdateReported(0, one, 0.5, one), 1: UpdateReported(0, other, 0.5, other)})
    line = Line(round=0).holding(**means)
    assert line.clip_share == 0.5
    for value, reason in ((line.kl, line.kl_reason), (line.entropy, line.entropy_reason)):
        assert isinstance(reason, str) if value is None else math.isfinite(value)
    raw, written = encode_line(line, 0.0, GENESIS)
    assert decode_line(raw) == written
