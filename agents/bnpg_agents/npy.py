"""A snapshot as the bytes of a numpy file: how it is stored, and what is sealed."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_agents.snapshot import Snapshot, unpacked
from bnpg_math.errors import InputError


def as_npy(snapshot: Snapshot) -> bytes:
    """Return what `np.save` writes of a snapshot that is packed."""
    array = snapshot.packed()
    return _header(array.shape, array.dtype) + array.tobytes()


def from_npy(content: bytes) -> Snapshot:
    """Return the snapshot that was packed into a file of numpy.

    Raises
    ------
    InputError
        If it holds something else; the text says what.
    """
    try:
        packed = np.load(io.BytesIO(content), allow_pickle=False)
        kinds = {field.base for field in _fields(packed)} if isinstance(packed, np.ndarray) else {None}
    except Exception as reason:  # numpy parses a header with more than one parser, each with its own errors
        kinds, packed = {None}, " ".join(str(reason).split())[:120]
    if kinds != {np.dtype("<f8")}:
        what = packed.dtype if isinstance(packed, np.ndarray) else packed
        raise InputError(f"expected float64 numbers, got {what}")
    return unpacked(packed)


def _fields(array: NDArray[Any]) -> list[np.dtype[Any]]:
    fields = array.dtype.fields
    return [array.dtype] if fields is None else [dtype for dtype, *_ in fields.values()]


@lru_cache(maxsize=2)
def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    header = io.BytesIO()
    described = {"shape": shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(dtype)}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()
