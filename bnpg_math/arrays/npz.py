"""Reading and writing `.npz` archives strictly: one clear line for every bad file, nothing half-written."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from bnpg_files.reading import memory, opened, why
from bnpg_math.arrays import FloatArray
from bnpg_math.errors import InputError

_ARRAY = b"\x93NUM"


def read_arrays(
    path: Path, what: str, error: type[InputError], wanted: Callable[[str], bool]
) -> dict[str, NDArray[Any]]:
    """Read some arrays of an archive. Pickled objects are never loaded.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        Kind of file for messages, such as ``"game file"``.
    error : type
        Class of the exception.
    wanted : callable
        Which names to read; others are ignored.

    Returns
    -------
    dict of str to array

    Raises
    ------
    InputError
        Of the class `error`, if the file cannot be read, is no archive, or an array in it is damaged.
    """
    with _archive(path, what, error) as archive:
        return {
            name: _read_array(archive, name, f"array {name!r} of {what} {path}", error)
            for name in filter(wanted, archive.files)
        }


def array_names(path: Path) -> frozenset[str]:
    """Return the names of the arrays in an archive; none where there is no archive, which its reader says."""
    try:
        with _archive(path, "archive", InputError) as archive:
            return frozenset(archive.files)
    except InputError:
        return frozenset()


def read_single(path: Path, what: str, error: type[InputError]) -> NDArray[Any]:
    """Read an array that is a file of its own, `.npy`. Pickled objects are never loaded.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        Kind of file for messages.
    error : type
        Class of the exception.

    Raises
    ------
    InputError
        Of the class `error`, if the file cannot be read, or is no such array.
    """
    with _opened(path, what, error) as file:
        try:
            array = np.load(file, allow_pickle=False)
        except MemoryError:
            raise error(f"{what} {path} does not fit into memory") from None
        except Exception as reason:  # see _read_array
            raise error(f"{what} {path} must be an array in .npy format: {_short(reason)}") from None
        if not isinstance(array, np.ndarray):
            raise error(f"{what} {path} must be an array in .npy format, got an archive")
        return array


@contextmanager
def _opened(path: Path, what: str, error: type[InputError]) -> Iterator[BinaryIO]:
    try:
        file = opened(path)
    except FileNotFoundError:
        raise error(f"{what} {path} does not exist") from None
    except OSError as reason:
        raise error(f"{what} {path} cannot be read: {why(reason)}") from None
    with file:
        yield file


@contextmanager
def _archive(path: Path, what: str, error: type[InputError]) -> Iterator[NpzFile]:
    with _opened(path, what, error) as file:
        try:
            single = file.read(len(_ARRAY)) == _ARRAY
            file.seek(0)
            archive = None if single else NpzFile(file, own_fid=False)
        except Exception as reason:  # see _read_array
            if isinstance(reason, OSError) and reason.errno == errno.EIO:
                raise error(f"{what} {path} cannot be read: {why(reason)}") from None
            raise error(
                f"{what} {path} must be a complete .npz archive, got something else or a part"
            ) from None
        if archive is None:
            raise error(f"{what} {path} must be an .npz archive, got a single array")
        with archive:
            yield archive


def _read_array(archive: NpzFile, name: str, where: str, error: type[InputError]) -> NDArray[Any]:
    try:
        # What unpacks to more than there is memory must not be begun with.
        array = archive[name] if _unpacked(archive, name) <= memory() else None
    except MemoryError:
        raise error(f"{where} does not fit into memory") from None
    except Exception as reason:
        # One flipped byte reaches zipfile, a decompressor or numpy's header parser, and each raises in its
        # own ways (NotImplementedError, RuntimeError, zlib.error, SyntaxError, ..): no list is complete.
        if "allow_pickle" in str(reason):
            raise error(f"{where} holds pickled objects") from None
        raise error(f"{where} is damaged: {_short(reason)}") from None
    if array is None:
        raise error(f"{where} does not fit into memory")
    if not isinstance(array, np.ndarray):
        raise error(f"{where} is not in .npy format")
    return array


def _unpacked(archive: NpzFile, name: str) -> int:
    """Return how many bytes an array says to have in the archive, of which no more are ever read."""
    held = archive.zip
    assert held is not None
    names = held.namelist()
    return held.getinfo(name if name in names else f"{name}.npy").file_size


def _short(reason: Exception) -> str:
    return " ".join(str(reason).split())[:120]


def real(given: object, where: str, error: type[InputError]) -> FloatArray:
    """Convert to float64 what is real; booleans, complex numbers and text are refused.

    Parameters
    ----------
    given : array or what numpy makes one of
        Any dtype, nested lists as well.
    where : str
        Used in the message.
    error : type
        Class of the exception.

    Returns
    -------
    float array, C-contiguous, of the same shape

    Raises
    ------
    InputError
        Of the class `error`.
    """
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as reason:
        raise error(f"{where} must be an array of numbers: {_short(reason)}") from None
    if array.dtype.kind not in "fiu":
        raise error(f"{where} must hold float64 numbers, got dtype {array.dtype}")
    converted: FloatArray = np.asarray(array, dtype=np.float64, order="C")
    return converted


def scalar(given: object, where: str, error: type[InputError]) -> float:
    """Convert to a float what is one real number, or an array of shape ().

    Raises
    ------
    InputError
        Of the class `error`.
    """
    number = real(given, where, error)
    if number.shape != ():
        raise error(f"{where} must be a scalar, got shape {number.shape}")
    return float(number)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an archive so that the path holds the old content or the new, never a part.

    Parameters
    ----------
    path : Path
        Where; an existing file is replaced. The folder must exist.
    arrays : mapping of str to array
        Names and content. Equal content gives equal bytes.

    Raises
    ------
    OSError
        If the file cannot be written; no temporary file is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    contents: dict[str, Any] = dict(arrays)
    try:
        with temporary.open("wb") as file:
            np.savez(file, **contents)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
