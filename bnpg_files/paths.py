"""Paths as programs give them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnpg_files.quoting import quoted


def as_path(value: Any, what: str, error: Callable[[str], Exception]) -> Path:
    """Return the path that somebody gave from Python.

    Parameters
    ----------
    value : object
    what : str
        Of what it is the path, for the message.
    error : callable
        Makes the exception of a line.

    Raises
    ------
    Exception
        What `error` makes, if it is no path, or one that no file can have.

    Examples
    --------
    >>> as_path("runs", "the folder of runs", ValueError).name
    'runs'
    >>> as_path(None, "the folder of runs", ValueError)
    Traceback (most recent call last):
    ValueError: the folder of runs must be a path, got None
    """
    try:
        path = Path(value)
        name = os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        raise error(f"{what} must be a path, got {quoted(value)}") from None
    if b"\0" in name:
        raise error(f"{what} must have no NUL in it, got {quoted(value)}")
    return path
