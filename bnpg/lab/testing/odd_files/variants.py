"""Valid content in which one thing is wrong, by the format of the file."""

import io
import json
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import tomli_w
from bnpg_coordinator import line as record
from bnpg_protocol.process.recorder import GENESIS, chained

_RAW = "\x01raw "
"""Marks text that is put into a JSON document as it is."""
DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    *(True, -1, 0, 1, 3, 2**63, -(2**63), 10**400),
    *(0.5, 1e308, -0.0, float("inf"), float("nan")),
    *("", "x", "0", "../..", "/dev/zero", "a\x00b", "a\nb", "\ud800", "x" * 100_000),
    *([], [1], ["x"], [[]], [[0, 1], [1, 0]], [None], DEEP),
    *({}, {"a": 1}, {"0": {}}, {"0": []}, {"-1": 1}),
)
JSON_VALUES = (*VALUES, None, f"{_RAW}1e400", f"{_RAW}-1e400", f"{_RAW}1e-400")

Way = tuple[str | int, ...]
Variant = tuple[str, Callable[[], bytes]]
"""What is wrong, and what makes the bytes: all of them at once would not fit into memory."""


def ways(document: Any, way: Way = ()) -> Iterator[Way]:
    """Yield where the values of a document are."""
    yield way
    inner: Any = ()
    if isinstance(document, dict):
        inner = document.items()
    elif isinstance(document, list):
        inner = enumerate(document)
    for key, value in inner:
        yield from ways(value, (*way, key))


def put(document: Any, way: Way, value: Any) -> Any:
    """Return a document with another value in one place."""
    if not way:
        return value
    copied = document.copy()
    copied[way[0]] = put(document[way[0]], way[1:], value)
    return copied


def drop(document: Any, way: Way) -> Any:
    """Return a document without what is in one place."""
    copied = document.copy()
    if len(way) == 1:
        del copied[way[0]]
    else:
        copied[way[0]] = drop(document[way[0]], way[1:])
    return copied


def json_text(document: Any) -> bytes:
    """Return a document as JSON, with what is marked as raw text put in as it is."""
    text = json.dumps(document)
    for raw in ("1e400", "-1e400", "1e-400"):
        text = text.replace(json.dumps(f"{_RAW}{raw}"), raw)
    return text.encode()


def changed(document: Any, values: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the document with one value changed, missing or added, and what was done."""
    for way in ways(document):
        name = ".".join(str(key) for key in way) or "all"
        for value in values:
            yield f"{name} is {str(value)[:20]!r}", put(document, way, value)
        if way:
            yield f"{name} is missing", drop(document, way)
    if isinstance(document, dict):
        for value in values:
            yield f"unknown is {str(value)[:20]!r}", document | {"unknown": value}


def json_variants(content: bytes) -> Iterator[Variant]:
    """Yield JSON files."""
    for name, document in changed(json.loads(content), JSON_VALUES):
        yield name, partial(json_text, document)


def toml_text(document: Any) -> bytes:
    """Return a document as TOML; empty if no TOML can say that."""
    try:
        return tomli_w.dumps(document).encode()
    except (TypeError, ValueError, AttributeError):
        return b""


def toml_variants(content: bytes) -> Iterator[Variant]:
    """Yield TOML files."""
    for name, document in changed(tomllib.loads(content.decode()), VALUES):
        yield name, partial(toml_text, document)


def lines_variants(content: bytes, close: Callable[[list[Any]], bytes]) -> Iterator[Variant]:
    """Yield files of JSON lines of which one has something wrong; `close` makes bytes of the lines."""
    lines = [json.loads(line) for line in content.splitlines()]

    def among(at: int, *others: Any) -> bytes:
        return close([*lines[:at], *others, *lines[at + 1 :]])

    for at in sorted({0, len(lines) // 2, len(lines) - 1} & set(range(len(lines)))):
        for name, document in changed(lines[at], JSON_VALUES):
            yield f"line {at + 1}: {name}", partial(among, at, document)
        yield f"line {at + 1} is twice", partial(among, at, lines[at], lines[at])
        yield f"line {at + 1} is missing", partial(among, at)
    yield "backwards", partial(close, lines[::-1])


def record_text(lines: list[Any]) -> bytes:
    """Return lines of a run record whose chain fits, however wrong they are."""
    text, before = b"", record.GENESIS
    for line in lines:
        if not isinstance(line, dict):
            text += json_text(line) + b"\n"
            continue
        fields = {key: value for key, value in line.items() if key not in ("chain", "seconds")}
        head = json_text(fields)[:-1]
        timed = b',"seconds":' + json_text(line["seconds"]) if "seconds" in line else b""
        if isinstance(line.get("chain"), str) and len(line["chain"]) == len(before):
            before = record._chain(before, head)
            chain = b',"chain":"' + before.encode() + b'"'
        else:
            chain = b',"chain":' + json_text(line["chain"]) if "chain" in line else b""
        tail = timed + chain
        text += head + (tail if fields else tail[1:]) + b"}\n"
    return text


def trace_text(lines: list[Any]) -> bytes:
    """Return lines of a trace whose hashes fit, however wrong they are."""
    text, head = b"", GENESIS
    for line in lines:
        if not isinstance(line, dict) or "h" not in line:
            text += json_text(line) + b"\n"
            continue
        start = json.dumps({key: value for key, value in line.items() if key != "h"}, separators=(",", ":"))
        for raw in ("1e400", "-1e400", "1e-400"):
            start = start.replace(json.dumps(f"{_RAW}{raw}"), raw)
        head = chained(head, start[:-1].encode())
        text += start[:-1].encode() + f',"h":"{head}"}}'.encode() + b"\n"
    return text


def arrays(content: bytes) -> dict[str, Any]:
    """Return the arrays of an archive."""
    with np.load(io.BytesIO(content)) as archive:
        return dict(archive)


def array_variants(array: Any) -> Iterator[tuple[str, Any]]:
    """Yield arrays with which something is wrong."""
    yield "objects", np.array([{"a": 1}], dtype=object)
    yield "text", np.full(array.shape, "x")
    yield "dates", np.full(array.shape, "2020-01-01", dtype="datetime64[D]")
    yield "records", np.zeros(array.shape, dtype=[("a", "f8"), ("b", "i4")])
    yield "bytes", np.full(array.shape, b"x")
    for kind in ("float16", "float32", "longdouble", "complex128", "int8", "uint64", "bool", ">f8"):
        yield kind, np.nan_to_num(array).astype(kind)
    for value in (np.nan, np.inf, -np.inf, -1.0, 1e308, -1e308, 5e-324, 0.0):
        whole = np.array(array, dtype=np.float64)
        yield f"all {value}", np.full_like(whole, value)
        if whole.size:
            one = whole.copy()
            one.reshape(-1)[-1] = value
            yield f"the last {value}", one
    yield "scalar", np.array(0.5)
    yield "flat", array.reshape(-1)
    yield "transposed", array.T
    yield "one axis more", array[None]
    yield "thirty axes", array.reshape((*array.shape, *[1] * (30 - array.ndim)))
    yield "nothing", array.reshape(-1)[:0]
    yield "empty axes", np.zeros((0, *array.shape))
    yield "in other order", np.asfortranarray(array)
    if array.ndim:
        yield "twice", np.concatenate([array, array])
        yield "shorter", array[:-1]
    yield "huge integers", np.full(array.shape, 2**62, dtype=np.int64)


def npz_text(arrays_: dict[str, Any]) -> bytes:
    """Return an archive."""
    file = io.BytesIO()
    np.savez(file, **arrays_)
    return file.getvalue()


def npy_text(array: Any) -> bytes:
    """Return an array file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz_variants(content: bytes) -> Iterator[Variant]:
    """Yield archives."""
    held = arrays(content)
    for name, array in held.items():
        for what, other in array_variants(array):
            yield f"{name}: {what}", partial(npz_text, held | {name: other})
        yield f"{name} is missing", partial(npz_text, {key: held[key] for key in held if key != name})
    yield "one more", partial(npz_text, held | {"unknown": np.array([{"a": 1}], dtype=object)})
    yield "nothing", partial(npz_text, {})
    for what, inner in _INNER.items():
        for name in held:
            yield f"{name}: {what}", partial(_archive, held, name, inner)
    yield "a name out of the archive", partial(_archive, held, "../../x", b"")


def _header(shape: tuple[Any, ...]) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape!r}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


_INNER = {
    "beyond memory": _header((2**60,)),
    "a terabyte of zeros": _header((2**37,)) + bytes(1 << 20),
    "negative shape": _header((-1,)),
    "shape of text": _header(("x",)),
    "no array": b"hello",
    "nothing": b"",
}
"""What may stand in an archive in the place of an array."""


def _archive(held: dict[str, Any], name: str, inner: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in held.items():
            if key != name:
                archive.writestr(f"{key}.npy", npy_text(array))
        archive.writestr(f"{name}.npy", inner)
    return file.getvalue()


def variants(name: str, content: bytes) -> Iterator[Variant]:
    """Yield what a file of that name might hold, with what is wrong about it."""
    if name.endswith(".json"):
        yield from json_variants(content)
    elif name == "metrics.jsonl":
        yield from lines_variants(content, record_text)
    elif name.endswith(".jsonl"):
        yield from lines_variants(content, trace_text)
    elif name.endswith(".npz"):
        yield from npz_variants(content)
    elif name.endswith((".toml", ".key")):
        yield from toml_variants(content)
