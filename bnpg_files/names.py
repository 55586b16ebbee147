"""Names that a document can say.

A name of a file may be any bytes. What is written down of a run (JSON, TOML) is text, and a name that is none
would make a document that nobody can read again.
"""

import os
from collections.abc import Callable


def check_sayable(name: str | os.PathLike[str], what: str, error: Callable[[str], Exception]) -> None:
    """Refuse a name that is no text.

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
        What `error` makes, if documents in UTF-8 cannot say it.
    """
    text = os.fspath(name)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise error(f"{what} must be text in UTF-8, got {text!r}") from None
