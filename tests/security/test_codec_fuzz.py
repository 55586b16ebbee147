"""Nothing that can arrive crashes the decoder or makes it take more memory than the message itself."""

import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import msgpack
import numpy as np
import pytest
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import MalformedMessage
from bnpg_protocol.wire.messages import (
    KINDS,
    ActionsAttested,
    ActionsChosen,
    ActionsRelayed,
    ObservationsAnnounced,
    Roster,
    SignalBroadcast,
    StatesAnnounced,
    Welcome,
)
from hypothesis import example, given
from hypothesis import strategies as st

CORPUS = sorted((Path(__file__).parents[2] / "fuzz" / "corpus").iterdir())
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS | st.binary(max_size=20), lambda inner: st.lists(inner, max_size=5), max_leaves=20
)
DTYPES = st.sampled_from(
    ["<f8", "|u1", "<u2", "<i4", "|O", "<M8[s]", "<f8,<f8", "(2,)<f8", "|V9", "", "\0", "<U4", "f" * 50]
)
TENSORS = st.lists(st.tuples(DTYPES, st.lists(st.integers(0, 2**63), max_size=70)), max_size=3)


def outcome(frames: list[bytes]) -> Envelope | None:
    """Decode, which may only succeed or be refused; measure that it stays within its means."""
    room = 2 * sum(map(len, frames)) + 512 * 1024
    told = 0
    tracemalloc.start()
    try:
        return decode(list(frames))
    except MalformedMessage as refusal:
        told = len(str(refusal))
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert told < 2000
        assert peak < room, f"{peak} bytes for a message of {sum(map(len, frames))}"


def framed(header: bytes, *tensors: bytes, inline: bytes = b"") -> list[bytes]:
    """Put a valid checksum before a header, so that what is behind the checksum is reached."""
    return checked(len(header).to_bytes(4, "little") + header + inline, *tensors)


def checked(rest: bytes, *tensors: bytes) -> list[bytes]:
    """Put a valid checksum before anything."""
    value = 0
    for tensor in tensors:
        value = crc32(tensor, value)
    return [crc32(rest, value).to_bytes(4, "little") + rest, *tensors]


def honest() -> list[Envelope]:
    messages = [
        ActionsChosen(3, 1, np.arange(5, dtype=np.uint8)),
        ActionsRelayed(3, 1, np.arange(6, dtype=np.uint16).reshape(2, 3)),
        ActionsAttested(3, 1, np.arange(5, dtype=np.uint8), np.arange(32, dtype=np.uint8)),
        StatesAnnounced(3, 1, 0, 1024, np.arange(5, dtype=np.uint16)),
        ObservationsAnnounced(
            3, 1, 0, 4, np.ones((2, 3), np.float32), np.ones((2, 4), np.uint8), np.array([1, 0], np.uint8)
        ),
        SignalBroadcast(2, np.linspace(0, 1, 7)),
        Roster(((0, 1),), ((2, 1, "tcp://10.0.0.2:7001"),), ("k" * 40,), ("l" * 40,)),
    ]
    return [
        Envelope("run", 1, 2, 0, 1, index, 0, index, message) for index, message in enumerate(messages, 1)
    ]


@given(st.lists(st.binary(max_size=300), max_size=4))
@example([])
@example([b"\0\0\0\0\0"])
def test_any_bytes(frames: list[bytes]) -> None:
    assert outcome(frames) is None


@given(st.binary(max_size=300), st.lists(st.binary(max_size=50), max_size=3))
def test_any_header_behind_a_valid_checksum(header: bytes, tensors: list[bytes]) -> None:
    assert outcome(framed(header, *tensors)) is None


@given(VALUES, st.lists(st.binary(max_size=50), max_size=3))
def test_any_structure(value, tensors: list[bytes]) -> None:
    assert outcome(framed(msgpack.packb(value), *tensors)) is None


@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(VALUES, max_size=8),
    TENSORS,
    st.lists(st.binary(max_size=64), max_size=3),
    st.lists(SCALARS, min_size=9, max_size=9) | st.just([1, "run", 1, 1, 0, 1, 1, 0, 1]),
)
def test_any_fields_of_a_known_kind(kind, scalars, tensors, frames, head) -> None:
    header = msgpack.packb([*head, kind, scalars, tensors])
    envelope = outcome(framed(header, *frames)) or outcome(framed(header, inline=b"".join(frames)))
    assert envelope is None or type(envelope.message).__name__ == kind


@given(st.sampled_from(honest()), st.data())
def test_a_true_message_with_wrong_bits(envelope: Envelope, data) -> None:
    frames = [bytearray(bytes(frame)) for frame in encode(envelope)]
    for _ in range(data.draw(st.integers(1, 4))):
        frame = frames[data.draw(st.integers(0, len(frames) - 1))]
        position = data.draw(st.integers(0, len(frame) - 1))
        frame[position] ^= 1 << data.draw(st.integers(0, 7))
    changed = [bytes(frame) for frame in frames]
    if changed != [bytes(frame) for frame in encode(envelope)]:
        assert outcome(changed) is None
        # And once more with a checksum that fits: a liar can compute it too.
        outcome(checked(changed[0][4:], *changed[1:]))


@given(st.sampled_from(honest()), st.integers(0, 200))
def test_a_true_message_cut_short(envelope: Envelope, length: int) -> None:
    frames = [bytes(frame) for frame in encode(envelope)]
    cut = frames[0][:length]
    if cut != frames[0]:
        assert outcome([cut, *frames[1:]]) is None


def headers_with(part: bytes) -> Iterator[bytes]:
    """Yield a part on its own, and as each field of an honest header."""
    yield part
    fields = [
        *(msgpack.packb(one) for one in (1, "run", 1, 1, -1, 1, 1, 0, 1, "SignalBroadcast")),
        b"\x90",
        b"\x90",
    ]
    for place in range(len(fields)):
        yield b"\x9c" + b"".join([*fields[:place], part, *fields[place + 1 :]])


@pytest.mark.parametrize("depth", [10, 1000, 60_000])
def test_nesting_of_any_depth(depth: int) -> None:
    for nested in (b"\x91" * depth + b"\x90", b"\x81\x01" * (depth // 2) + b"\x01", b"\x91" * depth):
        for header in headers_with(nested):
            assert outcome(framed(header)) is None


@pytest.mark.parametrize(
    "announced",
    [
        b"\xdd\x00\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ],
)
def test_announced_sizes_cost_nothing(announced: bytes) -> None:
    for header in (b"\x92" + announced, *headers_with(announced)):
        assert outcome(framed(header)) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(bad: float) -> None:
    frames = encode(Envelope("run", 1, 1, -1, 1, 1, 0, 1, SignalBroadcast(0, np.array([0.0, bad]))))
    with pytest.raises(MalformedMessage, match="must be finite"):
        decode(frames)


def test_a_welcome_with_an_infinite_learning_rate_is_refused() -> None:
    welcome = Welcome(1, 0, "d", "sampled", 1, 2, (), (), (), 1, 0, float("inf"), 0.0, "zeros", np.zeros(0))
    frames = encode(Envelope("run", 1, 0, -1, 1, 0, 0, 1, welcome))
    assert outcome([bytes(frame) for frame in frames]) is None


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_what_fuzzing_has_found_before(file: Path) -> None:
    """Every file of the corpus of `make fuzz`, as one frame and behind a valid checksum."""
    content = file.read_bytes()
    outcome([content])
    outcome(framed(content[:-8], content[-8:]))
    outcome(framed(content[:-8], inline=content[-8:]))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_fuzzer_begins_with_a_frame_of_every_kind(kind: str) -> None:
    """Its arrays are eight bytes or none: where the fuzzer cuts a header off."""
    [content] = [file.read_bytes() for file in CORPUS if file.name == kind]
    found = set()
    for arrays in (0, 8):
        header, inline = content[: len(content) - arrays], content[len(content) - arrays :]
        with suppress(MalformedMessage):
            found.add(type(decode(framed(header, inline=inline)).message).__name__)
    assert found == {kind}
