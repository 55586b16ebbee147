"""What may stand where a file is expected: no file at all, an endless one, or any other content."""

import codecs
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

Oddity = Callable[[Path, bytes], object]
"""Puts something at a path where nothing is; is given what was there."""

DEPTH = 100_000
"""Brackets within brackets."""


def _writes(content: bytes) -> Oddity:
    return lambda path, _valid: path.write_bytes(content)


def _changes(change: Callable[[bytes], bytes]) -> Oddity:
    return lambda path, valid: path.write_bytes(change(valid))


def _links(target: str) -> Oddity:
    return lambda path, _valid: path.symlink_to(target)


def _socket(path: Path, _valid: bytes) -> None:
    # Bound by its name alone: the whole path may be longer than the address of a socket.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _unreadable(path: Path, valid: bytes) -> None:
    path.write_bytes(valid)
    path.chmod(0)


def _sparse(path: Path, _valid: bytes) -> None:
    """Leave 1 TiB of zeros that take no room on the disk."""
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES: Mapping[str, Oddity] = MappingProxyType(
    {
        "folder": lambda path, _valid: path.mkdir(),
        "fifo": lambda path, _valid: os.mkfifo(path),
        "socket": _socket,
        "link to /dev/zero": _links("/dev/zero"),
        "link to /dev/null": _links("/dev/null"),
        "link to nowhere": _links("nowhere"),
        "link to itself": lambda path, _valid: path.symlink_to(path.name),
        "unreadable": _unreadable,
        "1 TiB": _sparse,
        "missing": lambda _path, _valid: None,
    }
)
CONTENTS: Mapping[str, Oddity] = MappingProxyType(
    {
        "empty": _writes(b""),
        "list": _writes(b"[1]\n"),
        "null": _writes(b"null\n"),
        "object": _writes(b"{}\n"),
        "number": _writes(b"1e400\n"),
        "nan": _writes(b"NaN\n"),
        "digits": _writes(b"9" * 10_000),
        "text": _writes(b"to be, or not to be\n"),
        "half": _changes(lambda valid: valid[: len(valid) // 2]),
        "all but the last byte": _changes(lambda valid: valid[:-1]),
        "twice": _changes(lambda valid: valid + valid),
        "a byte is another": _changes(
            lambda valid: (
                valid[: len(valid) // 2] + bytes([valid[len(valid) // 2] ^ 5]) + valid[len(valid) // 2 + 1 :]
            )
        ),
        "no text": _writes(b"\xff\xfe\x00\x80\n"),
        "lone surrogate": _writes(b'{"a": "\\ud800"}\n'),
        "byte order mark": _changes(lambda valid: codecs.BOM_UTF8 + valid),
        "zeros": _writes(bytes(4096)),
        "lists within lists": _writes(b"[" * DEPTH + b"]" * DEPTH + b"\n"),
        "objects within objects": _writes(b'{"a":' * DEPTH + b"1" + b"}" * DEPTH + b"\n"),
        "TOML within TOML": _writes(b"game = " + b"[" * DEPTH + b"]" * DEPTH + b"\n"),
        "tables within tables": _writes(b"a = " + b"{a=" * DEPTH + b"1" + b"}" * DEPTH + b"\n"),
        "long name": _writes(b".".join([b"a"] * 20_000) + b" = 1\n"),
        "archive of nothing": _writes(b"PK\x05\x06" + bytes(18)),
        "memory of a process": _links("/proc/self/mem"),  # a regular file of no length, read with an error
        "pickle": _writes(b"\x80\x04K\x01."),
        "array of objects": _writes(
            b"\x93NUMPY\x01\x00\x46\x00"
            + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}".ljust(69)
            + b"\n"
        ),
        "array beyond memory": _writes(
            b"\x93NUMPY\x01\x00\x76\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846975,)}".ljust(117)
            + b"\n"
            + bytes(8)
        ),
    }
)
ODDITIES: Mapping[str, Oddity] = MappingProxyType({**NO_FILES, **CONTENTS})


def replace(path: Path, oddity: Oddity, valid: bytes) -> None:
    """Take away what is at a path, and let an oddity be there."""
    clear(path)
    oddity(path, valid)


def clear(path: Path) -> None:
    """Take away what is at a path."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
