"""Every kind of line in a trace reads back to what was written, and a line that says more or less is none."""

import json
from typing import get_args

import msgspec
import pytest
from bnpg_protocol.process.trace_line import Line, decode_line, encode_line
from hypothesis import given
from hypothesis import strategies as st

COUNT = st.integers(0, 2**40)
PROCESS = st.one_of(st.just("coordinator"), COUNT.map("agent-{}".format))
PAYLOAD = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)
THETA = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
LIFE = st.integers(1, 2**40)
STATE = st.sampled_from(["done", "interrupted", "failed"])
TEXT = st.text(max_size=9)
PLACE = {"g": COUNT, "e": COUNT, "r": COUNT}
MESSAGE = {
    "g": COUNT, "e": COUNT, "peer": PROCESS, "seq": COUNT, "kind": TEXT, "r": st.none() | COUNT,
    "s": st.none() | COUNT, "p": PAYLOAD,
}  # fmt: skip
BODIES = {
    "start": {
        "version": st.just(1), "process": PROCESS, "life": LIFE, "run": TEXT, "experiment": TEXT,
    },
    "join": {"agent": COUNT, "life": LIFE, "held": st.lists(COUNT)},
    "epoch": {"g": COUNT, "e": COUNT, "neighbours": st.dictionaries(PROCESS, LIFE)},
    "begin": PLACE,
    "send": MESSAGE,
    "receive": MESSAGE | {"sent": COUNT},
    "unsend": MESSAGE | {"sent": COUNT},
    "bare": MESSAGE | {"sent": COUNT},
    "act": PLACE | {"s": COUNT, "p": PAYLOAD},
    "apply": PLACE | {"s": st.none(), "p": PAYLOAD, "before": THETA, "after": THETA},
    "kept": PLACE | {"after": THETA},
    "conclude": {
        "state": STATE, "rounds": COUNT, "absent": st.lists(COUNT),
    },
    "end": {"code": st.integers(0, 255), "why": TEXT},
}  # fmt: skip
OPTIONAL = {
    "agent": COUNT, "held": st.dictionaries(COUNT.map(str), THETA), "agents": LIFE,
    "edges": st.lists(st.tuples(COUNT, COUNT).map(list)), "mode": st.sampled_from(["sampled", "exact"]),
    "rounds": COUNT, "evaluate_every": COUNT, "save_policy": st.booleans(), "stops_early": st.booleans(),
    "parts": st.integers(0, 9),
}  # fmt: skip
HEAD = {"n": COUNT, "t": st.floats(0, 1e12), "lamport": COUNT}


def test_every_kind_of_line_is_drawn_here() -> None:
    assert {kind.__struct_config__.tag for kind in get_args(Line)} == set(BODIES)


@st.composite
def drawn(draw: st.DrawFn) -> dict[str, object]:
    """A line as JSON has it, its fields in any order."""
    kind = draw(st.sampled_from(sorted(BODIES)))
    optional = OPTIONAL if kind == "start" else {}
    fields = draw(st.fixed_dictionaries(HEAD | BODIES[kind], optional=optional)) | {"k": kind}
    return {key: fields[key] for key in draw(st.permutations(sorted(fields)))}


@given(drawn())
def test_what_is_written_is_what_was_read(fields: dict[str, object]) -> None:
    line = decode_line(json.dumps(fields).encode()[:-1])
    assert json.loads(encode_line(line) + b"}") == fields
    assert decode_line(encode_line(line)) == line


@given(drawn(), st.data())
def test_a_line_that_says_more_or_less_is_refused(fields: dict[str, object], data: st.DataObject) -> None:
    kind = str(fields["k"])
    with pytest.raises(ValueError, match="unknown field"):
        decode_line(json.dumps(fields | {"more": 1}).encode()[:-1])
    lost = data.draw(st.sampled_from(["k", *HEAD, *BODIES[kind]]))
    with pytest.raises(ValueError, match=f"missing required field `{lost}`"):
        decode_line(json.dumps({key: fields[key] for key in fields if key != lost}).encode()[:-1])


@given(drawn(), st.data())
def test_a_field_of_another_type_is_refused_by_its_name(
    fields: dict[str, object], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(["n", "lamport", *BODIES[str(fields["k"])]]))
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
        decode_line(json.dumps(fields | {field: {"": [1.5]}}).encode()[:-1])
