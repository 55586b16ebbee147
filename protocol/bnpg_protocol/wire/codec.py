"""Envelopes to frames and back; the only file that knows MessagePack.

Frame 0 is a CRC-32 over everything that follows it (4 bytes, little-endian), the length of the header (4
bytes), and the header, a MessagePack array: version, run, generation, epoch, sender, incarnation, seq, ack,
lamport, kind, scalars, tensors. A tensor is described by its dtype and shape; its elements are raw,
little-endian, in C order. Small tensors follow the header in frame 0, one behind the other; if they have
`ZERO_COPY` bytes or more together, each is a frame of its own. Nothing is ever pickled. Headers are written
by msgpack, and read by msgspec, which checks types while it reads; the CRC-32 is computed by ISA-L, which
takes a tenth of the time of zlib.

Decoding is strict and in this order: number of parts, sizes, checksum, header, kind, scalars, dtype,
shape against bytes, finiteness. Whatever is wrong is a `MalformedMessage` that names the field.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct as Words
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgpack
import msgspec
import numpy as np
from isal.isal_zlib import crc32
from msgspec.structs import astuple

from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import MalformedMessage
from bnpg_protocol.wire.messages import KINDS, LARGEST_COUNT, Message, Tensor
from bnpg_protocol.wire.version import JOINING_VERSION, PROTOCOL_VERSIONS

WIRE_VERSION = PROTOCOL_VERSIONS[-1]
_JOINING = frozenset({"Hello", "Reject"})
MAX_HEADER = 64 * 1024
"""Bytes a header may have."""
MAX_TENSOR = 1 << 30
"""Bytes a tensor may have, unless a transport sets less."""
MAX_AXES = 64
ZERO_COPY = 64 * 1024
"""Bytes from which arrays travel from their own memory instead of a copy."""
MOST_KNOWN = 256
"""Beginnings of headers that are kept."""

Frame = bytes | memoryview
_Array = np.ndarray[Any, Any]
_BEGINNING = Words("<II")
_ARRAY_OF_12 = b"\x9c"
_UINT = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]
_SIGNED = Annotated[int, msgspec.Meta(ge=-2)]


class _Header(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    version: _UINT
    run: str
    generation: _UINT
    epoch: _UINT
    sender: _SIGNED
    incarnation: _UINT
    seq: _UINT
    ack: _UINT
    lamport: _UINT
    kind: str
    scalars: msgspec.Raw
    tensors: list[tuple[str, list[Annotated[int, msgspec.Meta(ge=0)]]]]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the fields of one kind of message are spread over header and frames."""

    kind: type[Message]
    scalars: tuple[str, ...]
    tensors: tuple[tuple[str, Tensor], ...]
    order: tuple[int, ...] | None
    """Where each field of the kind is among scalars and then tensors; None if it is in this order."""
    decode_scalars: Callable[[msgspec.Raw], msgspec.Struct]
    """Decodes into a twin of the kind that holds the scalar fields only, and validates."""


def _layout(kind: type[Message]) -> _Layout:
    scalars: list[tuple[str, Any]] = []
    tensors: list[tuple[str, Tensor]] = []
    hints = get_type_hints(kind, include_extras=True)
    for field in kind.__struct_fields__:
        hint = hints[field]
        if get_origin(hint) is Annotated and isinstance(get_args(hint)[1], Tensor):
            tensors.append((field, get_args(hint)[1]))
        else:
            scalars.append((field, hint))
    names = tuple(field for field, _ in scalars)
    laid = [*names, *(field for field, _ in tensors)]
    order = None if (*laid,) == kind.__struct_fields__ else tuple(map(laid.index, kind.__struct_fields__))
    twin = msgspec.defstruct(kind.__name__, scalars, array_like=True, forbid_unknown_fields=True, frozen=True)
    return _Layout(kind, names, tuple(tensors), order, msgspec.msgpack.Decoder(twin).decode)


_LAYOUTS = {name: _layout(kind) for name, kind in KINDS.items()}
_HEADER_FIELDS = _Header.__struct_fields__
_decode_header = msgspec.msgpack.Decoder(_Header).decode
_pack = msgpack.Packer().pack


class _Content(NamedTuple):
    """What of a message is the same for everybody it goes to."""

    message: Message
    version: int
    described: bytes
    """The end of the header: kind, scalars, tensors."""
    inline: Frame
    frames: list[Frame]
    checksum: int
    """Of the frames."""


_latest: _Content | None = None
# Broadcasts: the same message goes out to one neighbour after the other.
_known: dict[tuple[int, str, int, int, int, int], bytes] = {}
# The beginning of the header, which is the same for a whole epoch.


def encode(envelope: Envelope) -> list[Frame]:
    """Return the frames of an envelope.

    Arrays with a frame of their own are views of the message's memory: they must not change afterwards,
    which read-only arrays guarantee.
    """
    global _latest  # noqa: PLW0603 - a cache of one entry
    content = _latest
    if content is None or content.message is not envelope.message:
        content = _latest = _content(envelope.message)
    beginning = (
        content.version,
        envelope.run,
        envelope.generation,
        envelope.epoch,
        envelope.sender,
        envelope.incarnation,
    )
    begun = _known.get(beginning)
    if begun is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        begun = _known[beginning] = _ARRAY_OF_12 + _pack(beginning)[1:]
    counters = _pack((envelope.seq, envelope.ack, envelope.lamport))[1:]
    _, _, described, inline, frames, checksum = content
    size = len(begun) + len(counters) + len(described)
    body = b"".join((size.to_bytes(4, "little"), begun, counters, described, inline))
    return [crc32(body, checksum).to_bytes(4, "little") + body, *frames]


def _content(message: Message) -> _Content:
    layout = _LAYOUTS[type(message).__name__]
    arrays, tensors, size = [], [], 0
    for field, _ in layout.tensors:
        array = getattr(message, field)
        code = array.dtype.str
        if code[0] == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
            code = array.dtype.str
        arrays.append(array)
        tensors.append((code, array.shape))
        size += array.nbytes
    scalars = [getattr(message, field) for field in layout.scalars]
    described = _pack((layout.kind.__name__, scalars, tensors))[1:]
    version = _version_of(layout.kind.__name__)
    if size < ZERO_COPY:
        return _Content(message, version, described, b"".join([array.tobytes() for array in arrays]), [], 0)
    frames: list[Frame] = [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in arrays]
    return _Content(message, version, described, b"", frames, _checksum(frames))


def decode(frames: list[Frame]) -> Envelope:
    """Return the envelope in the frames.

    Raises
    ------
    MalformedMessage
        If the frames are no envelope of this protocol; the text names the field, and what was expected.
    """
    if not frames:
        raise MalformedMessage("no frame at all")
    first = memoryview(frames[0])
    if len(first) <= 8:
        raise MalformedMessage(f"frame 0 must have more than 8 bytes, got {len(first)}")
    for frame in frames:
        if len(frame) > MAX_TENSOR:
            raise MalformedMessage(f"a frame may have {MAX_TENSOR} bytes, got {len(frame)}")
    checksum = _checksum(frames[1:]) if len(frames) > 1 else 0
    expected, length = _BEGINNING.unpack_from(first)
    if expected != crc32(first[4:], checksum):
        raise MalformedMessage("checksum differs: bits were flipped on the way")
    end = 8 + length
    if not 8 < end <= min(len(first), 8 + MAX_HEADER):
        raise MalformedMessage(
            f"header must have 1 to {MAX_HEADER} bytes, got {end - 8} of {len(first) - 8} that are there"
        )
    header = _header(first[8:end])
    layout = _LAYOUTS.get(header.kind)
    if layout is None:
        raise MalformedMessage(f"unknown kind of message {header.kind[:40]!r}")
    try:
        scalars = astuple(layout.decode_scalars(header.scalars))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"{header.kind}: {_named(error, layout.scalars)}") from None
    if layout.tensors or header.tensors or len(frames) > 1:
        scalars = (*scalars, *_tensors(header, layout, frames, first[end:]))
    elif end != len(first):
        raise MalformedMessage(f"{header.kind} has no tensors, got {len(first) - end} bytes behind it")
    fields = scalars if layout.order is None else [scalars[place] for place in layout.order]
    return Envelope(
        header.run,
        header.generation,
        header.epoch,
        header.sender,
        header.incarnation,
        header.seq,
        header.ack,
        header.lamport,
        layout.kind(*fields),
    )


def _tensors(header: _Header, layout: _Layout, frames: list[Frame], inline: memoryview) -> list[_Array]:
    """Return the arrays of a message, from behind the header or from frames of their own."""
    kind, count = header.kind, len(layout.tensors)
    if len(header.tensors) != count or len(frames) not in (1, 1 + count):
        raise MalformedMessage(
            f"{kind} has {count} tensors, got {len(header.tensors)} described in {len(frames)} frames"
        )
    if count == 1 and len(frames) == 1:
        (field, rule), (code, shape) = layout.tensors[0], header.tensors[0]
        return [_array(kind, field, rule, code, shape, inline)]
    arrays = []
    if len(frames) > 1:
        if inline:
            raise MalformedMessage(f"{kind} has frames of tensors, and {len(inline)} bytes behind the header")
        for (field, rule), (code, shape), frame in zip(
            layout.tensors, header.tensors, frames[1:], strict=True
        ):
            arrays.append(_array(kind, field, rule, code, shape, frame))
        return arrays
    start = 0
    for index, ((field, rule), (code, shape)) in enumerate(zip(layout.tensors, header.tensors, strict=True)):
        dtype = rule.dtypes.get(code)
        size = 0 if dtype is None else math.prod(shape) * dtype.itemsize
        end = len(inline) if index == count - 1 else start + size
        arrays.append(_array(kind, field, rule, code, shape, inline[start:end]))
        start = end
    return arrays


def _checksum(frames: list[Frame]) -> int:
    value = 0
    for frame in frames:
        value = crc32(frame, value)
    return value


def _header(data: memoryview) -> _Header:
    try:
        header = _decode_header(data)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"header: {_named(error, _HEADER_FIELDS)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"header is no MessagePack: {error}") from None
    except RecursionError:
        raise MalformedMessage("header is nested deeper than any message") from None
    expected = _version_of(header.kind)
    if header.version != expected:
        raise MalformedMessage(f"header.version must be {expected}, got {header.version}")
    return header


def _version_of(kind: str) -> int:
    """Return the version in the header of a kind of message."""
    return JOINING_VERSION if kind in _JOINING else WIRE_VERSION


def _array(kind: str, field: str, rule: Tensor, code: str, shape: list[int], frame: Frame) -> _Array:
    dtype = rule.dtypes.get(code)
    if dtype is None:
        expected = ", ".join(sorted(rule.dtypes))
        raise MalformedMessage(f"{kind}.{field} must be {expected}, got dtype {code[:20]!r}")
    if len(shape) > MAX_AXES or (rule.axes is not None and len(shape) != rule.axes):
        expected = str(rule.axes or f"up to {MAX_AXES}")
        raise MalformedMessage(f"{kind}.{field} must have {expected} axes, got {len(shape)}")
    count = shape[0] if len(shape) == 1 else math.prod(shape)
    if count * dtype.itemsize != len(frame):
        wrong = f"shape {shape} of {dtype} does not fill {len(frame)} bytes exactly"
        raise MalformedMessage(f"{kind}.{field}: {wrong}")
    try:
        array = np.frombuffer(frame, dtype=dtype)
        if len(shape) != 1:
            array = array.reshape(shape)
    except ValueError as error:
        raise MalformedMessage(f"{kind}.{field}: no array has the shape {shape[:4]}..: {error}") from None
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise MalformedMessage(f"{kind}.{field} must be finite, got NaN or infinity")
    if not isinstance(frame, bytes) and not frame.readonly:
        array.flags.writeable = False
    return array


def _named(error: Exception, fields: tuple[str, ...]) -> str:
    """Replace the position in a validation error by the name of the field."""

    def field(match: "re.Match[str]") -> str:
        index = int(match[1])
        return f"`{fields[index]}" if index < len(fields) else match[0]

    return re.sub(r"`\$\[(\d+)\]", field, str(error))
