"""What others say, as people may read it: a terminal shows every letter of it and obeys none."""

LONGEST = 2000
"""Characters that the reason of an end has, and a few."""


def shown(text: str) -> str:
    r"""Return a text with all that is no letter to be seen written out, as Python does, line breaks too.

    Examples
    --------
    >>> shown("two\nlines, and \x1b[2J")
    'two\\nlines, and \\x1b[2J'
    """
    return text if text.isprintable() else "".join(map(_written_out, text))


def in_one_line(said: str) -> str:
    """Return what a peer says as the one line that it is where this process ends because of it.

    Of a longer one than `LONGEST` the beginning and the end are left: it is said to everybody, in a header.
    """
    line = shown(" ".join(said.split()))
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]} .. {line[-half:]}"


def _written_out(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
