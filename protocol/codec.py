"""Envelopes to frames and back; the only file that knows MessagePack.

Frame 0 is a CRC-32 over everything that follows it (4 bytes, little-endian), then a MessagePack array:
version, run, generation, epoch, sender, incarnation, seq, ack, lamport, kind, scalars, tensors. A tensor is
described by its dtype and shape; its elements follow as a frame of their own, raw, little-endian, C order.
Nothing is ever pickled.

Decoding is strict and in this order: number of parts, sizes, checksum, header, kind, scalars, dtype,
shape against bytes, finiteness. Whatever is wrong is a `MalformedMessage` that names the field.
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from zlib import crc32

import msgpack
import msgspec
import numpy as np

from protocol.envelope import Envelope
from protocol.errors import MalformedMessage
from protocol.messages import KINDS, Message, Tensor
from protocol.version import PROTOCOL_VERSIONS

WIRE_VERSION = PROTOCOL_VERSIONS[-1]
MAX_HEADER = 64 * 1024
"""Bytes a header may have."""
MAX_TENSOR = 1 << 30
"""Bytes a tensor may have, unless a transport sets less."""
MAX_AXES = 64
ZERO_COPY = 64 * 1024
"""Bytes from which an array travels from its own memory instead of a copy."""

Frame = bytes | memoryview
_UINT = Annotated[int, msgspec.Meta(ge=0)]
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
    scalars: list[Any]
    tensors: list[tuple[str, list[_UINT]]]


@dataclass(frozen=True)
class _Layout:
    """How the fields of one kind of message are spread over header and frames."""

    kind: type[Message]
    scalars: tuple[str, ...]
    tensors: tuple[tuple[str, Tensor], ...]
    checked: type[msgspec.Struct]
    """Twin of the kind that holds the scalar fields only; decoding validates against it."""


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
    checked = msgspec.defstruct(
        kind.__name__, scalars, array_like=True, forbid_unknown_fields=True, frozen=True
    )
    return _Layout(kind, tuple(field for field, _ in scalars), tuple(tensors), checked)


_LAYOUTS = {name: _layout(kind) for name, kind in KINDS.items()}
_HEADER_FIELDS = _Header.__struct_fields__


def encode(envelope: Envelope) -> list[Frame]:
    """Return the frames of an envelope.

    Arrays of `ZERO_COPY` bytes and more are views of the message's memory: they must not change afterwards,
    which read-only arrays guarantee.
    """
    message = envelope.message
    layout = _LAYOUTS[type(message).__name__]
    frames: list[Frame] = [b""]
    described = []
    for field, _ in layout.tensors:
        array = getattr(message, field)
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        described.append((little.dtype.str, array.shape))
        frames.append(
            little.reshape(-1).view(np.uint8).data if little.nbytes >= ZERO_COPY else little.tobytes()
        )
    header = msgpack.packb(
        (
            WIRE_VERSION,
            envelope.run,
            envelope.generation,
            envelope.epoch,
            envelope.sender,
            envelope.incarnation,
            envelope.seq,
            envelope.ack,
            envelope.lamport,
            layout.kind.__name__,
            [getattr(message, field) for field in layout.scalars],
            described,
        )
    )
    frames[0] = _checksum(header, frames[1:]).to_bytes(4, "little") + header
    return frames


def decode(frames: list[Frame]) -> Envelope:
    """Return the envelope in the frames.

    Raises
    ------
    MalformedMessage
        If the frames are no envelope of this protocol; the text names the field, and what was expected.
    """
    if not frames:
        raise MalformedMessage("no frame at all")
    first = bytes(frames[0])
    if not 4 < len(first) <= MAX_HEADER:
        raise MalformedMessage(f"header must have 5 to {MAX_HEADER} bytes, got {len(first)}")
    for frame in frames[1:]:
        if len(frame) > MAX_TENSOR:
            raise MalformedMessage(f"a tensor may have {MAX_TENSOR} bytes, got {len(frame)}")
    if int.from_bytes(first[:4], "little") != _checksum(first[4:], frames[1:]):
        raise MalformedMessage("checksum differs: bits were flipped on the way")
    header = _header(first[4:])
    layout = _LAYOUTS.get(header.kind)
    if layout is None:
        raise MalformedMessage(f"unknown kind of message {header.kind[:40]!r}")
    try:
        scalars = msgspec.convert(header.scalars, layout.checked)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"{header.kind}: {_named(error, layout.scalars)}") from None
    fields: dict[str, Any] = {field: getattr(scalars, field) for field in layout.scalars}
    if not len(header.tensors) == len(layout.tensors) == len(frames) - 1:
        raise MalformedMessage(
            f"{header.kind} has {len(layout.tensors)} tensors, "
            f"got {len(header.tensors)} described in {len(frames) - 1} frames"
        )
    for (field, rule), (code, shape), frame in zip(layout.tensors, header.tensors, frames[1:], strict=True):
        fields[field] = _array(f"{header.kind}.{field}", rule, code, shape, frame)
    return Envelope(
        header.run,
        header.generation,
        header.epoch,
        header.sender,
        header.incarnation,
        header.seq,
        header.ack,
        header.lamport,
        layout.kind(**fields),
    )


def _checksum(header: bytes, tensors: list[Frame]) -> int:
    value = crc32(header)
    for frame in tensors:
        value = crc32(frame, value)
    return value


def _header(data: bytes) -> _Header:
    try:
        raw = msgpack.unpackb(
            data,
            max_str_len=4096,
            max_bin_len=0,
            max_array_len=4096,
            max_map_len=0,
            max_ext_len=0,
            use_list=True,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MalformedMessage(f"header is no MessagePack: {str(error) or type(error).__name__}") from None
    try:
        header = msgspec.convert(raw, _Header)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"header: {_named(error, _HEADER_FIELDS)}") from None
    if header.version not in PROTOCOL_VERSIONS:
        raise MalformedMessage(f"header.version must be one of {PROTOCOL_VERSIONS}, got {header.version}")
    return header


def _array(where: str, rule: Tensor, code: str, shape: list[int], frame: Frame) -> np.ndarray[Any, Any]:
    dtype = rule.dtypes.get(code)
    if dtype is None:
        raise MalformedMessage(f"{where} must be {', '.join(sorted(rule.dtypes))}, got dtype {code[:20]!r}")
    if len(shape) > MAX_AXES or (rule.axes is not None and len(shape) != rule.axes):
        raise MalformedMessage(f"{where} must have {rule.axes or f'up to {MAX_AXES}'} axes, got {len(shape)}")
    if math.prod(shape) * dtype.itemsize != len(frame):
        raise MalformedMessage(f"{where}: shape {shape} of {dtype} does not fill {len(frame)} bytes exactly")
    try:
        array = np.frombuffer(frame, dtype=dtype).reshape(shape)
    except ValueError as error:
        raise MalformedMessage(f"{where}: no array has the shape {shape[:4]}..: {error}") from None
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise MalformedMessage(f"{where} must be finite, got NaN or infinity")
    array.flags.writeable = False
    return array


def _named(error: msgspec.ValidationError, fields: tuple[str, ...]) -> str:
    """Replace the position in a validation error by the name of the field."""

    def field(match: "re.Match[str]") -> str:
        index = int(match[1])
        return f"`{fields[index]}" if index < len(fields) else match[0]

    return re.sub(r"`\$\[(\d+)\]", field, str(error))
