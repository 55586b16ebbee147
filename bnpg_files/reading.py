"""Reading a file that may be anything.

A path may lead to a fifo (opening it waits for ever), to a device (`/dev/zero` never ends), to a socket, a
folder, or to 1 TiB of zeros that take no room on the disk. And what is in a file may be nested so deeply that
it takes the stack, or be of other types than expected. Here all of that is one line: the file, what was
expected, and what is there instead.
"""

import errno
import os
import re
import stat
import tomllib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from bnpg_files.quoting import INTEGER_BITS, LONGEST, quoted

DOCUMENT = 1 << 26
"""Bytes that a document (JSON, TOML, text) may have: 64 MiB, far more than any of them needs."""
NESTED = 100
"""Values that may be within one another: what writes them out again needs the stack too."""
_SHOWN = 300
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_BETWEEN_KEYS = re.compile(r"[\n=,\[\]{}#]+")

Kind = TypeVar("Kind")


def opened(path: str | os.PathLike[str], change: bool = False) -> BinaryIO:
    """Open a regular file for reading, or for changing it too; never wait for anybody.

    Raises
    ------
    OSError
        If it cannot be opened, or is something else than a regular file; `strerror` says what.
    """
    # Without O_NONBLOCK opening a fifo waits for a writer; with it a terminal does not become ours either.
    access = os.O_RDWR if change else os.O_RDONLY
    try:
        if b"\0" in os.fsencode(path):
            raise OSError(errno.EINVAL, "no file has a name with a NUL in it", os.fspath(path))
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, "no file can have such a name", os.fspath(path)) from None
    descriptor = os.open(path, access | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return open(descriptor, "rb+" if change else "rb")
    os.close(descriptor)
    what = next((name for is_one, name in _KINDS if is_one(mode)), "something else")
    code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(code, f"expected a regular file, got {what}", os.fspath(path))


def read_bytes(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Return what is in a regular file.

    Parameters
    ----------
    path : path
    most : int, optional
        Bytes that it may have; as many as this host has memory if left out.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file or is too large; `strerror` says what.
    """
    most = memory() if most is None else most
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise _too_large(path, size)
        try:
            return file.read(size)  # what is appended meanwhile belongs to the next reading
        except MemoryError:
            raise _too_large(path, size) from None


def memory() -> int:
    """Return how many bytes of memory this host has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 1 << 40


def read_text(path: str | os.PathLike[str], error: Callable[[str], Exception], most: int = DOCUMENT) -> str:
    """Return what is in a text file, in UTF-8; a byte order mark is taken away.

    Parameters
    ----------
    path : path
    error : callable
        Makes the exception of a line that says what is wrong.
    most : int
        Bytes that it may have.

    Raises
    ------
    FileNotFoundError
        If nothing is there: what that means the caller knows.
    Exception
        What `error` makes, if it is no such file.
    """
    try:
        return read_bytes(path, most).removeprefix(BOM_UTF8).decode()
    except FileNotFoundError:
        raise
    except OSError as reason:
        raise error(f"{path} cannot be read: {why(reason)}") from None
    except UnicodeDecodeError as reason:
        what = f"{reason.object[reason.start]:#04x} at byte {reason.start}"
        raise error(f"{path} cannot be read: expected text in UTF-8, got {what}") from None


def read_json(path: str | os.PathLike[str], kind: type[Kind], error: Callable[[str], Exception]) -> Kind:
    """Return what a JSON file holds, as the type that is expected.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    Exception
        What `error` makes, if it is no such file.
    """
    text = read_text(path, error)
    try:
        check_values(msgspec.json.decode(text))
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError, MemoryError) as reason:
        raise error(f"{path} cannot be read: {_reason(reason)}") from None


def read_toml(path: str | os.PathLike[str], kind: type[Kind], error: Callable[[str], Exception]) -> Kind:
    """Return what a TOML file holds, as the type that is expected.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    Exception
        What `error` makes, if it is no such file.
    """
    text = read_text(path, error)
    try:
        return msgspec.convert(toml_document(text), kind)
    except (ValueError, RecursionError, MemoryError) as reason:
        raise error(f"{path}: {_reason(reason)}") from None


def toml_document(text: str) -> dict[str, Any]:
    """Return the tables of a TOML document.

    Raises
    ------
    ValueError
        If it is none, is nested too deeply, or holds an integer that Python may not write out.
    """
    # The parser of the standard library keeps every beginning of a dotted key: room in its length squared.
    bare = text.translate({ord(" "): None, ord("\t"): None})
    if any(key.count(".") >= NESTED for key in _BETWEEN_KEYS.split(bare)):
        raise ValueError("nested too deeply")
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"expected TOML: {error}") from None
    check_values(document)
    return document


def check_values(document: Any) -> None:
    """Refuse a document that could not be written out again.

    Raises
    ------
    ValueError
        If it is nested too deeply, or holds an integer that is too long; the text says where.
    """
    level, large = [document], None
    for _ in range(NESTED):
        large = next((value for value in level if _is_large(value)), large)
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            break
    else:
        raise ValueError("nested too deeply")
    if large is not None:
        way = next(way for way, value in _ways(document, "") if value is large)
        where = way if way.isprintable() and len(way) <= LONGEST else quoted(way)
        expected = f"expected an integer of at most {INTEGER_BITS} bits, got {quoted(large)}"
        raise ValueError(f"{where}: {expected}" if where else expected)


def _is_large(value: Any) -> bool:
    return type(value) is int and value.bit_length() > INTEGER_BITS


def _ways(document: Any, way: str) -> Iterator[tuple[str, Any]]:
    """Yield what is in a document, with the keys that lead to it."""
    yield way, document
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from _ways(value, f"{way}.{key}" if way else str(key))


def why(reason: OSError) -> str:
    """Return in words why a file cannot be read."""
    return str(reason.strerror or reason)


def _reason(reason: BaseException) -> str:
    if isinstance(reason, RecursionError):
        return "nested too deeply"
    if isinstance(reason, MemoryError):
        return "it does not fit into memory"
    return " ".join(str(reason).split())[:_SHOWN]


def _too_large(path: str | os.PathLike[str], size: int) -> OSError:
    return OSError(errno.EFBIG, f"it is too large, {size} bytes", str(Path(path)))
