"""Writing to a place that somebody named: asked early whether it can be, and told apart why it cannot."""

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bnpg_protocol.process.files import named_file, replace_file
from bnpg_protocol.process.surroundings import shortage
from bnpg_protocol.wire.errors import StorageFailed

from bnpg_math.errors import InputError


def unwritable(text: str, error: OSError) -> InputError | StorageFailed:
    """Return the failure to write to a place that somebody named.

    Parameters
    ----------
    text : str
        What failed, such as `report.html cannot be written`.
    error : OSError

    Returns
    -------
    InputError or StorageFailed
        The second if the machine is short of something, such as room; the first if the place is none, or none
        for this user.
    """
    failure = StorageFailed if shortage(error) else InputError
    return failure(f"{text}: {error.strerror or error}")


def check_place(file: Path, called: str = "", followed: bool = True) -> None:
    """Check, before anything is computed for it, that a file can be made there.

    Parameters
    ----------
    file : Path
    called : str
        The option by which it was named, if its error should say so.
    followed : bool
        Whether a link is followed. One that others may have put into a folder of theirs is replaced instead.

    Raises
    ------
    InputError
        If its folder is missing, or takes no file of this user, or if something else than a file is there.
    StorageFailed
        If its file system is read-only.
    """
    text = f"{called} {file} cannot be written".lstrip()
    folder = _place(file, followed, text).absolute().parent
    if not folder.is_dir():
        raise InputError(f"{text}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
        raise unwritable(text, OSError(number, os.strerror(number)))


def write_named(file: Path, content: bytes, called: str = "", followed: bool = True) -> None:
    """Write a file that somebody named, whole or not at all.

    Parameters
    ----------
    file : Path
    content : bytes
    called : str
        The option by which it was named, if its error should say so.
    followed : bool
        Whether a link is followed. One that others may have put into a folder of theirs is replaced instead.

    Raises
    ------
    InputError
        If there can be no file of that name, or none of this user, or if something else than a file is there.
    StorageFailed
        If the machine is short of something, such as room.
    """
    text = f"{called} {file} cannot be written".lstrip()
    place = _place(file, followed, text)
    try:
        replace_file(place, content, fsync=False)
    except OSError as error:
        raise unwritable(text, error) from None


def _place(file: Path, followed: bool, text: str) -> Path:
    try:
        return named_file(file, followed)
    except OSError as error:
        raise unwritable(text, error) from None


@contextmanager
def made(folder: Path, text: str = "") -> Iterator[None]:
    """Make the folder that something goes into, if it is missing; it goes again if that fails.

    Parameters
    ----------
    folder : Path
    text : str
        What is said if it cannot be made; `FOLDER cannot be made` if left out.

    Raises
    ------
    InputError
        If there can be none of that name, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    text = text or f"{folder} cannot be made"
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise InputError(f"{text}: {os.strerror(errno.ENOTDIR)}") from None
        except OSError as error:
            raise unwritable(text, error) from None
        yield
    except BaseException:
        with suppress(OSError):  # somebody has put something into it meanwhile
            for place in missing:
                if place.exists():
                    place.rmdir()
        raise


@contextmanager
def all_or_none(files: Iterable[Path]) -> Iterator[None]:
    """Leave none of these files, which were not there before, if one cannot be written."""
    try:
        yield
    except BaseException:
        for file in files:
            file.unlink(missing_ok=True)
        raise


def copy_into(
    folder: Path, source: Path, text: str, ignore: Callable[[str, list[str]], set[str]] | None = None
) -> None:
    """Copy what is in a folder into another one that is there; the first file that cannot be copied ends it.

    Parameters
    ----------
    folder, source : Path
    text : str
        What is said of a failure.
    ignore : callable, optional
        Of `shutil.copytree`.

    Raises
    ------
    InputError
        If something cannot be read, or there can be none of its name, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """

    def copy(file: str, copied: str) -> None:
        try:  # here, as copytree keeps the words of an error and not its number
            shutil.copy2(file, copied)
        except OSError as error:
            raise unwritable(text, error) from None

    try:
        shutil.copytree(source, folder, symlinks=True, ignore=ignore, copy_function=copy, dirs_exist_ok=True)
    except shutil.Error as several:
        _, _, why = several.args[0][0]
        raise InputError(f"{text}: {why}") from None
    except OSError as error:
        raise unwritable(text, error) from None
