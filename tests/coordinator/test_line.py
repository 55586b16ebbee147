"""A line of the record: what it holds, what it is in bytes, and what is known after several."""

import json
import math

import pytest
from bnpg_coordinator.line import (
    GENESIS,
    MEASURED,
    RETURNS,
    Line,
    check_chain,
    decode_line,
    encode_line,
    fields_of,
    number,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from bnpg_math.errors import InputError

numbers = st.dictionaries(st.sampled_from((*MEASURED, *RETURNS)), st.floats())


@given(numbers)
def test_a_number_that_is_not_finite_is_null_with_its_reason_and_all_others_keep_their_bits(
    measured: dict[str, float],
) -> None:
    raw, line = encode_line(Line(3).holding(**measured), 0.5, GENESIS)
    written = json.loads(raw)
    assert written.pop("chain") == line.chain
    assert written == fields_of(line)
    for key, value in measured.items():
        known = math.isfinite(value)
        assert number(getattr(line, key)) == (value if known else None)
        assert getattr(line, f"{key}_reason") == (UNSET if known else f"{value} is not finite")


@given(st.lists(numbers, min_size=1, max_size=4))
def test_after_several_lines_the_latest_of_every_number_is_known(measured: list[dict[str, float]]) -> None:
    latest, expected = Line(0), {}
    for round_, fields in enumerate(measured):
        latest = Line(round_).holding(**fields).after(latest)
        expected |= {key: value for key, value in fields.items() if math.isfinite(value)}
    assert latest.round == len(measured) - 1
    assert {key: number(getattr(latest, key)) for key in expected} == expected
    best = {"value", "optimality_gap"} <= set(expected)
    assert latest.optimum == (expected["value"] + expected["optimality_gap"] if best else None)


def test_a_line_of_a_record_from_before_there_were_chains_is_read_and_its_fields_stand_in_any_order() -> None:
    old = b'{"seconds":0.25,"value":null,"value_reason":"nan is not finite","round":0}'
    assert decode_line(old) == Line(0, value=None, value_reason="nan is not finite", seconds=0.25)
    check_chain([old])


@pytest.mark.parametrize(
    "raw", [b"", b"3", b'{"round":"0"}', b'{"value":1.0}', b'{"round":0,"value":[]}', b"[" * 9999]
)
def test_what_is_no_line_is_refused_in_one_sentence(raw: bytes) -> None:
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        decode_line(raw)
    with pytest.raises(InputError, match=r"^line 2: [^\n]+$"):
        check_chain([encode_line(Line(0), 0.5, GENESIS)[0].removesuffix(b"\n"), raw])
