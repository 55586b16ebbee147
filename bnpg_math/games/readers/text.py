"""Lines of a text file with their numbers, and the one way in which its readers refuse a line."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from bnpg_files.reading import read_bytes, why
from bnpg_math.errors import GameError

LARGEST_TEXT = 1 << 28
"""Most bytes of a game file in text."""


class SourceLine(str):
    """The text of a line, and its number, from 1."""

    number: int

    def __new__(cls, text: str, number: int) -> "SourceLine":
        """Make one."""
        line = super().__new__(cls, text)
        line.number = number
        return line


def read_text(path: Path, what: str) -> str:
    """Read a file of at most `LARGEST_TEXT` bytes, UTF-8 with or without a byte order mark.

    Raises
    ------
    GameError
        If it cannot be read, is larger, or is no text.
    """
    try:
        if not path.is_file():
            raise GameError(f"{what} {path} {'is no file' if path.exists() else 'does not exist'}")
        data = read_bytes(path, LARGEST_TEXT)
    except OSError as reason:
        if reason.errno == errno.EFBIG:
            raise GameError(f"{what} {path} must have at most {LARGEST_TEXT >> 20} MiB") from None
        raise GameError(f"{what} {path} cannot be read: {why(reason)}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        line = data[: reason.start].count(b"\n") + 1
        raise GameError(
            f"{path}:{line}: expected UTF-8 text, got the byte {data[reason.start]:#04x}"
        ) from None
    if "\0" in text:
        raise GameError(f"{path}:{text[: text.index(chr(0))].count(chr(10)) + 1}: expected text, got a NUL")
    return text


def lines_of(text: str) -> Iterator[SourceLine]:
    """Lines with something in them, without comments, which `#` begins."""
    for number, raw in enumerate(text.splitlines(), 1):
        bare = raw.partition("#")[0].strip()
        if bare:
            yield SourceLine(bare, number)


def refuse(path: Path, line: int, expected: str, got: str) -> NoReturn:
    """Refuse a line: where it is, what was expected, and what came."""
    raise GameError(f"{path}:{line}: expected {expected}, got {_shown(got)}") from None


def _shown(got: str) -> str:
    return repr(got.strip()[:60]) if got.strip() else "nothing"
