"""The codec: what goes in comes out, and whatever else comes in is refused by name, never by a surprise."""

from contextlib import suppress
from zlib import crc32

import msgpack
import msgspec
import numpy as np
import pytest
from bnpg_agents.phases import PHASES
from bnpg_protocol.wire import codec
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import MalformedMessage
from bnpg_protocol.wire.messages import (
    KINDS,
    LARGEST_COUNT,
    LONGEST_ENDPOINT,
    ActionsChosen,
    Beacon,
    FlowBroadcast,
    Hello,
    Reject,
    SignalBroadcast,
    StatesAnnounced,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg.lab.testing.messages import envelopes, messages


def envelope(message=None, **fields):
    usual = {
        "run": "run",
        "generation": 1,
        "epoch": 2,
        "sender": 3,
        "incarnation": 4,
        "seq": 5,
        "ack": 6,
        "lamport": 7,
        "message": message or StatesAnnounced(8, 9, 9, 4, np.array([1, 2, 3], dtype="<u4")),
    }
    return Envelope(**(usual | fields))


def sealed(header, *tensors, inline=b""):
    """Return frames with a right checksum around any header."""
    packed = header if isinstance(header, bytes) else msgpack.packb(header)
    rest = len(packed).to_bytes(4, "little") + packed + inline
    checksum = 0
    for tensor in tensors:
        checksum = crc32(tensor, checksum)
    return [crc32(rest, checksum).to_bytes(4, "little") + rest, *tensors]


def parts_of(frames):
    """Return the header of frames, and what is behind it."""
    first = bytes(frames[0])
    end = 8 + int.from_bytes(first[4:8], "little")
    return msgpack.unpackb(first[8:end]), first[end:]


def forged(**changes):
    """Return frames of `envelope()` with parts of the header replaced and the checksum right."""
    frames = encode(envelope())
    header, inline = parts_of(frames)
    names = [field.name for field in msgspec.structs.fields(codec._Header)]
    for name, value in changes.items():
        header[names.index(name)] = value
    return sealed(header, *frames[1:], inline=inline)


def same(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=25)
@given(data=st.data())
def test_every_kind_survives_the_wire(kind, data):
    sent = data.draw(envelopes(messages(KINDS[kind])))
    received = decode([bytes(frame) for frame in encode(sent)])
    for field in Envelope.__struct_fields__:
        if field != "message":
            assert getattr(received, field) == getattr(sent, field)
    assert type(received.message) is KINDS[kind]
    for field in KINDS[kind].__struct_fields__:
        assert same(getattr(received.message, field), getattr(sent.message, field))


def test_arrays_of_another_byte_order_or_layout_arrive_as_the_same_numbers():
    flow = np.arange(24, dtype=">f8").reshape(2, 3, 4).transpose(2, 0, 1)
    received = decode(encode(envelope(FlowBroadcast(0, flow)))).message
    assert np.array_equal(received.flow, flow)
    assert received.flow.dtype == np.dtype("<f8")


def test_what_was_received_cannot_be_written_to():
    received = decode(encode(envelope())).message
    with pytest.raises(ValueError, match="read-only"):
        received.states[0] = 0


def test_a_large_array_travels_from_its_own_memory():
    weights = np.ones(codec.ZERO_COPY // 8)
    frames = encode(envelope(SignalBroadcast(0, weights)))
    assert isinstance(frames[1], memoryview)
    assert np.shares_memory(np.frombuffer(frames[1]), weights)


@settings(max_examples=150)
@given(sent=envelopes(), data=st.data())
def test_a_flipped_bit_anywhere_is_detected(sent, data):
    frames = [bytearray(frame) for frame in encode(sent)]
    position = data.draw(st.integers(0, 8 * sum(map(len, frames)) - 1), label="bit")
    for frame in frames:
        if position < 8 * len(frame):
            frame[position // 8] ^= 1 << position % 8
            break
        position -= 8 * len(frame)
    with pytest.raises(MalformedMessage):
        decode([bytes(frame) for frame in frames])


@settings(max_examples=150)
@given(sent=envelopes(), data=st.data())
def test_a_truncated_frame_is_refused(sent, data):
    frames = [bytes(frame) for frame in encode(sent)]
    index = data.draw(st.integers(0, len(frames) - 1))
    if frames[index]:
        frames[index] = frames[index][: data.draw(st.integers(0, len(frames[index]) - 1))]
    else:
        del frames[index]
    with pytest.raises(MalformedMessage):
        decode(frames)


@settings(max_examples=300)
@given(frames=st.lists(st.binary(max_size=200), max_size=4))
def test_random_bytes_are_refused_and_nothing_worse(frames):
    with pytest.raises(MalformedMessage):
        decode(frames)


@settings(max_examples=300)
@given(header=st.binary(min_size=1, max_size=200), frames=st.lists(st.binary(max_size=40), max_size=3))
def test_random_headers_with_a_right_checksum_are_refused_and_nothing_worse(header, frames):
    with pytest.raises(MalformedMessage):
        decode(sealed(header, *frames))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=400)
@given(sent=envelopes(), data=st.data())
def test_a_header_with_one_part_replaced_is_refused_or_is_another_envelope(sent, data):
    frames = [bytes(frame) for frame in encode(sent)]
    header, inline = parts_of(frames)
    where = data.draw(st.sampled_from(range(len(header))))
    part = header[where]
    if isinstance(part, list) and part and data.draw(st.booleans()):
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(anything)
    else:
        header[where] = data.draw(anything)
    with suppress(MalformedMessage):
        assert isinstance(decode(sealed(header, *frames[1:], inline=inline)), Envelope)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([], "no frame at all"),
        ([b"\0\0\0\0"], "frame 0 must have"),
        (sealed(b"\xc0" * (codec.MAX_HEADER + 1)), "header must have"),
        (sealed(b""), "frame 0 must have"),
        (sealed(b"", inline=b"1"), "header must have"),
        ([b"\0" * 9], "checksum"),
        (sealed(b"\xc1"), "header is no MessagePack"),
        (sealed(msgpack.packb([1]) + b"\1"), "length 12, got 1"),
        (sealed(msgpack.packb(parts_of(encode(envelope()))[0]) + b"\1"), "header is no MessagePack"),
        (sealed(msgpack.packb(parts_of(encode(envelope()))[0])[:-1]), "header is no MessagePack"),
        (sealed(b"\x91" * 3000), "length 12, got 1"),
        (sealed([1] * 5000), "`run"),
        (sealed([1, "x" * 5000]), "length 12, got 2"),
        (sealed([1, b"\xff"]), "header"),
        (forged(scalars=[8, 9, 9, {}]), "`lane"),
        (sealed(7), "header"),
        (sealed({}), "header"),
        (sealed([]), "header"),
        (sealed([b"run"]), "header"),
        (forged(version=99), "header.version must be 2, got 99"),
        (forged(version=True), "`version"),
        (forged(run=7), "`run"),
        (forged(seq=-1), "`seq"),
        (forged(seq=1.0), "`seq"),
        (forged(sender=-3), "`sender"),
        (forged(kind="Gossip"), "unknown kind of message 'Gossip'"),
        (forged(kind="Message"), "unknown kind of message 'Message'"),
        (forged(scalars=[8]), "StatesAnnounced"),
        (forged(scalars=[8, 9, 9, 4, 10]), "StatesAnnounced"),
        (forged(scalars=["8", 9, 9, 4]), "`round"),
        (forged(scalars=[8, -1, 9, 4]), "`turn"),
        (forged(scalars=[8, 9.0, 9, 4]), "`turn"),
        (forged(scalars=[8, [[9]], 9, 4]), "`turn"),
        (forged(tensors=[]), "StatesAnnounced has 1 tensors"),
        (forged(tensors=[["<u4", [3]]] * 2), "StatesAnnounced has 1 tensors"),
        (forged(tensors=[["<i8", [3]]]), "StatesAnnounced.states must be <u2, <u4, |u1, got dtype '<i8'"),
        (forged(tensors=[["O", [3]]]), "StatesAnnounced.states must be <u2, <u4, |u1, got dtype 'O'"),
        (forged(tensors=[[">i4", [3]]]), "StatesAnnounced.states must be <u2"),
        (forged(tensors=[["<u4", [4]]]), "does not fill 12 bytes exactly"),
        (forged(tensors=[["<u4", [2]]]), "does not fill 12 bytes exactly"),
        (forged(tensors=[["<u4", [-3]]]), "`tensors"),
        (forged(tensors=[["<u4", [1, 3]]]), "StatesAnnounced.states must have 1 axes, got 2"),
        (forged(scalars=[8, 9, 9, 5]), "`lane"),
        (sealed(*parts_of(encode(envelope()))[:1], b"1" * 12, inline=b"1"), "1 bytes behind the header"),
        (sealed(*parts_of(encode(envelope()))[:1], b"1" * 12, b""), "StatesAnnounced has 1 tensors"),
        (sealed(*parts_of(encode(envelope(Beacon("edges", 0, 0, ()))))[:1], inline=b"1"), "has no tensors"),
    ],
)
def test_a_malformed_message_is_refused_by_the_name_of_what_is_wrong(frames, told):
    with pytest.raises(MalformedMessage) as refusal:
        decode(frames)
    assert told in str(refusal.value)


def test_a_trailing_element_of_the_header_is_refused():
    frames = encode(envelope())
    with pytest.raises(MalformedMessage, match="header"):
        decode(sealed([*parts_of(frames)[0], 1], inline=parts_of(frames)[1]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(MalformedMessage, match=r"SignalBroadcast\.weights must be finite"):
        decode(encode(envelope(SignalBroadcast(0, np.array([0.0, value])))))


@pytest.mark.parametrize("shape", [[0, 2**63], [0, 2**62, 2**62], [0] * 65, [1] * 64 + [0]])
def test_impossible_shapes_of_nothing_are_refused(shape):
    frames = encode(envelope(FlowBroadcast(0, np.zeros((1, 0)))))
    header, _ = parts_of(frames)
    header[-1] = [["<f8", shape], ["<f8", [0]]]
    with pytest.raises(MalformedMessage, match=r"FlowBroadcast\.flow"):
        decode(sealed(header))


def test_an_oversized_tensor_is_refused_before_anything_is_read_from_it(monkeypatch):
    monkeypatch.setattr(codec, "MAX_TENSOR", 8)
    with pytest.raises(MalformedMessage, match=r"may have 8 bytes, got \d+"):
        decode(encode(envelope()))


@pytest.mark.parametrize("phase", ["", "\x1b[2J", "run\n12:00", "running\n", "Running", "läuft", "a" * 21])
def test_a_phase_is_a_word_or_two_that_a_terminal_can_show(phase):
    with pytest.raises(MalformedMessage, match="phase"):
        decode(encode(envelope(Beacon(phase, 0, 0, ()))))


def test_every_phase_that_agents_tell_of_is_one():
    for phase in (*PHASES, "updating"):
        assert decode(encode(envelope(Beacon(phase, 0, 0, ())))).message.phase == phase


@pytest.mark.parametrize("counter", ["generation", "epoch", "incarnation", "seq", "ack", "lamport"])
def test_a_counter_that_cannot_be_counted_on_is_refused(counter):
    assert getattr(decode(forged(**{counter: LARGEST_COUNT})), counter) == LARGEST_COUNT
    with pytest.raises(MalformedMessage, match=counter):
        decode(forged(**{counter: LARGEST_COUNT + 1}))


def test_an_endpoint_that_would_not_fit_into_a_roster_is_refused():
    hello = Hello((2,), 0, "x" * LONGEST_ENDPOINT, (), "", "F")
    assert decode(encode(envelope(hello))).message == hello
    with pytest.raises(MalformedMessage, match="endpoint"):
        decode(encode(envelope(msgspec.structs.replace(hello, endpoint=hello.endpoint + "x"))))


def test_negative_counters_are_refused_wherever_they_stand():
    for message in (Beacon("running", -1, 0, ()), ActionsChosen(0, -1, np.zeros(1, dtype="|u1"))):
        with pytest.raises(MalformedMessage, match=">= 0"):
            decode(encode(envelope(message)))


@pytest.mark.parametrize("message", [Hello((2,), 0, "x", (), "", "F"), Reject("version", "2", "3")])
def test_what_every_version_must_understand_is_written_as_in_version_1(message):
    header = bytes(encode(envelope(message))[0])[8:]
    assert header[:2] == b"\x9c\x01"
    assert bytes(encode(envelope(Beacon("running", 0, 0, ())))[0])[8:10] == b"\x9c\x02"
