"""What others say, as people may read it: a terminal shows every letter of it and obeys none."""


def shown(text: str) -> str:
    r"""Return a text with all that is no letter to be seen written out, as Python does, line breaks too.

    Examples
    --------
    >>> shown("two\nlines, and \x1b[2J")
    'two\\nlines, and \\x1b[2J'
    """
    return text if text.isprintable() else "".join(map(_written_out, text))


def in_one_line(said: str) -> str:
    """Return what a peer says as the one line that it is where this process ends because of it."""
    return shown(" ".join(said.split()))


def _written_out(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
