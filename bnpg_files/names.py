"""Names that a document can say.

A name of a file may be any bytes. What is written down of a run (JSON, TOML) is text, and a name that is none
would make a document that nobody can read again.
"""

import os
from collections.abc import Callable


def check_sayable(name: str | os.PathLike[str], what: str, error: Callable[[str], Exception]) -> None:
    """Refuse a name that is no text, or that no file can have.

    Parameters
    ----------
    name : str or path
    what : str
        Of what it is the name, for the message.
    error : callable
        Makes the exception of a line.

    Raises
    ------
    Exception
        What `error` makes, if documents in UTF-8 cannot say it, or it has a NUL in it.
    """
    if "\0" in os.fspath(name):
        raise error(f"{what} must have no NUL in it, got {os.fspath(name)!r}")
    if not is_sayable(name):
        raise error(f"{what} must be text in UTF-8, got {os.fspath(name)!r}")


def said(name: str | os.PathLike[str]) -> str:
    r"""Return a name, or a text that holds some, such that every document can say it.

    Examples
    --------
    >>> print(said("runs/\udcff"))
    runs/\udcff
    """
    return os.fspath(name).encode(errors="backslashreplace").decode()


def is_sayable(name: str | os.PathLike[str]) -> bool:
    """Whether a name is text, which documents and addresses can say."""
    try:
        os.fspath(name).encode()
    except UnicodeEncodeError:
        return False
    return True
