"""MATLAB's files of arrays, versions 4 to 7 (`.mat`).

A file of version 5 to 7 is a head of 128 bytes and elements one after another, each a tag (type, bytes) and
its data; an element may be another one, compressed. A matrix holds elements again: class and flags, its
lengths, its name, then numbers in any type that has room for them, or, of a cell, matrices. Version 4 has
matrices of numbers only. Libraries that read all of MATLAB trust what a file says of itself, and end the
process where that is wrong; here each number is compared with the bytes that are there.
"""

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bnpg_files.reading import memory, read_bytes, why
from bnpg_math.errors import GameError

_HEAD = 128
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""What numbers of an element are, by its type."""
_MATRIX, _COMPRESSED = 14, 15
_KINDS = frozenset({*_TYPES, _MATRIX, _COMPRESSED, 16, 17, 18})
"""All types there are; the last ones are text."""
_CELL, _SPARSE, _FIRST_NUMBERS, _LAST_NUMBERS = 1, 5, 6, 15
"""Classes of matrices."""
_COMPLEX = 0x800
_OLD_TYPES = ("f8", "f4", "i4", "i2", "u2", "u1")
_DEEPEST = 20
"""Cells that may be within one another."""
_LONGEST_NAME = 4096


class _Element(NamedTuple):
    """A type, and the bytes of that type."""

    kind: int
    data: memoryview


class _Broken(ValueError):
    """A file that says something of itself that cannot be."""


def read_mat(path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Read some variables of a MATLAB file.

    Parameters
    ----------
    path : Path
    wanted : callable
        Which names to read; others are passed over, whatever they hold.

    Returns
    -------
    dict from str to array, sparse matrix or list
        Numbers in the shape that MATLAB shows; of a cell a list of what is in it, column by column.

    Raises
    ------
    GameError
        One line: the file, what was expected, what came.
    """
    try:
        content = memoryview(read_bytes(path))
        held = _old(content) if 0 in content[:4].tolist() else _variables(content)
        return {name: value() for name, value in held if wanted(name)}
    except FileNotFoundError:
        raise GameError(f"game file {path} does not exist") from None
    except OSError as reason:
        raise GameError(f"game file {path} cannot be read: {why(reason)}") from None
    except MemoryError:
        raise GameError(f"game file {path} does not fit into memory") from None
    except (ValueError, zlib.error) as reason:
        raise GameError(f"game file {path} must be a MATLAB file of arrays: {reason}") from None


def _order(content: memoryview) -> str:
    """Return the order of bytes that a head says."""
    mark = content[126:_HEAD].tobytes()
    if mark not in (b"IM", b"MI"):
        raise _Broken("its head says nothing of the order of bytes")
    order = "<" if mark == b"IM" else ">"
    version = struct.unpack(order + "H", content[124:126])[0] >> 8
    if version != 1:
        what = "7.3: save it with -v7" if version == 2 else f"one marked {version}"
        raise _Broken(f"expected MATLAB's version 7 or before, got {what}")
    return order


def _variables(content: memoryview) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield names, and what reads their values."""
    order = _order(content)
    for packed in _elements(content[_HEAD:], order):
        if packed.kind == _COMPRESSED:
            element = next(_elements(_unpacked(packed.data), order), packed)
        else:
            element = packed
        if element.kind == _MATRIX:
            yield _matrix(element.data, order)


def _unpacked(data: memoryview) -> memoryview:
    unpacker = zlib.decompressobj()
    whole = unpacker.decompress(data, memory())
    if not unpacker.eof:
        raise _Broken("a compressed part is cut off")
    return memoryview(whole)


def _elements(content: memoryview, order: str) -> Iterator[_Element]:
    at = 0
    while at < len(content):
        if len(content) - at < 8:
            raise _Broken("it is cut off")
        kind, size = struct.unpack_from(order + "II", content, at)
        small = kind >> 16
        if small:  # up to four bytes stand in the tag itself
            kind, size, start = kind & 0xFFFF, small, at + 4
            at += 8
        else:
            start = at + 8
            at = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if kind not in _KINDS:
            raise _Broken(f"a part is of the unknown type {kind}")
        if (small and size > 4) or size > len(content) - start:
            raise _Broken("it is cut off, or holds less than it says")
        yield _Element(kind, content[start : start + size])


def _matrix(data: memoryview, order: str, deep: int = 0) -> tuple[str, Callable[[], Any]]:
    parts = _elements(data, order)
    head = _numbers(next(parts, None), order)
    if len(head) != 2 or deep > _DEEPEST:
        raise _Broken("a matrix has no class" if deep <= _DEEPEST else "cells are nested too deeply")
    kind, flags = int(head[0]) & 0xFF, int(head[0])
    if kind == _LAST_NUMBERS + 2:
        return "", lambda: None  # an object of MATLAB's own, of which nothing is written down here
    shape = tuple(int(length) for length in _numbers(next(parts, None), order))
    if len(shape) < 2 or min(shape) < 0:
        raise _Broken(f"a matrix has the lengths {shape}")
    name = bytes(next(parts, _Element(0, data[:0])).data).decode("latin-1")
    rest = parts

    def value() -> Any:
        if kind == _CELL:
            inner = [_matrix(part.data, order, deep + 1)[1]() for part in rest if part.kind == _MATRIX]
            if len(inner) != math.prod(shape):
                raise _Broken(f"the cell {name} of lengths {shape} has {len(inner)} entries")
            return inner
        if kind == _SPARSE:
            return _sparse(name, shape, [_numbers(next(rest, None), order) for _ in range(3)], flags)
        if not _FIRST_NUMBERS <= kind <= _LAST_NUMBERS:
            raise _Broken(f"{name} must hold numbers, or be a cell of matrices of numbers")
        return _shaped(name, _numbers(next(rest, None), order), shape, bool(flags & _COMPLEX))

    return name, value


def _numbers(element: _Element | None, order: str) -> NDArray[Any]:
    dtype = _TYPES.get(0 if element is None else element.kind)
    if element is None or dtype is None or len(element.data) % int(dtype[1]):
        raise _Broken("there are no numbers where some are expected")
    return np.frombuffer(element.data, dtype=order + dtype)


def _shaped(name: str, numbers: NDArray[Any], shape: tuple[int, ...], is_complex: bool) -> NDArray[Any]:
    if is_complex:
        raise _Broken(f"{name} must hold real numbers, got complex ones")
    if len(numbers) != math.prod(shape):
        raise _Broken(f"{name} of lengths {shape} has {len(numbers)} numbers")
    return numbers.astype(np.float64).reshape(shape, order="F")


def _sparse(name: str, shape: tuple[int, ...], parts: list[NDArray[Any]], flags: int) -> Any:
    from scipy.sparse import csc_array

    rows, starts, numbers = parts
    if flags & _COMPLEX:
        raise _Broken(f"{name} must hold real numbers, got complex ones")
    held = int(starts[-1]) if len(starts) else 0
    if len(shape) != 2 or not 0 <= held <= min(len(rows), len(numbers)):
        raise _Broken(f"the sparse matrix {name} has fewer numbers than it says")
    values = numbers[:held].astype(np.float64)
    matrix = csc_array((values, rows[:held].astype(np.int64), starts.astype(np.int64)), shape=shape)
    matrix.check_format(full_check=True)
    matrix.sum_duplicates()
    return matrix


def _old(content: memoryview) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield names, and what reads their values, of a file of version 4."""
    at = 0
    while at < len(content):
        if len(content) - at < 20:
            raise _Broken("it is cut off")
        order = "<" if struct.unpack_from("<i", content, at)[0] in range(1000) else ">"
        kind, rows, columns, imaginary, length = struct.unpack_from(order + "5i", content, at)
        digits = (kind // 1000, kind // 100 % 10, kind // 10 % 10, kind % 10)
        if digits[:2] != ((order == ">"), 0) or digits[2] >= len(_OLD_TYPES) or digits[3] not in (0, 1, 2):
            raise _Broken(f"a matrix has the unknown kind {kind}")
        dtype = _OLD_TYPES[digits[2]]
        if min(rows, columns) < 0 or not 0 < length <= _LONGEST_NAME:
            raise _Broken(f"a matrix has the lengths {(rows, columns)}, and a name of {length} letters")
        size = rows * columns * int(dtype[1]) * (2 if imaginary else 1)
        start = at + 20 + length
        at = start + size
        if at > len(content):
            raise _Broken("it is cut off")
        name = bytes(content[start - length : start]).rstrip(b"\0").decode("latin-1")
        part = np.frombuffer(content[start:at], dtype=order + dtype)
        yield name, partial(_old_value, name, part, (rows, columns), digits[3], bool(imaginary))


def _old_value(name: str, numbers: NDArray[Any], shape: tuple[int, int], form: int, is_complex: bool) -> Any:
    if form == 1:
        raise _Broken(f"{name} must hold numbers, got text")
    table = _shaped(name, numbers, shape, is_complex)
    if form == 0:
        return table
    # A sparse one: a line for each number with its place from 1 on, and one with the lengths.
    if shape[1] != 3 or not shape[0] or not np.isfinite(table).all() or (table[:, :2] % 1.0).any():
        raise _Broken(f"the sparse matrix {name} has no places")
    places, lengths = table[:-1, :2], table[-1, :2]
    if not ((places >= 1) & (places <= lengths)).all() or not 0 <= lengths.min() <= lengths.max() < 2**31:
        raise _Broken(f"the sparse matrix {name} has a number outside of it")
    from scipy.sparse import coo_array

    rows, columns = lengths.astype(int)
    return coo_array((table[:-1, 2], tuple(places.T.astype(int) - 1)), shape=(rows, columns)).tocsc()
