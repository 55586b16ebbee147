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


def in_one_line(said: str, longest: int = LONGEST) -> str:
    """Return what somebody says as one line of at most so many characters, and a few.

    Of a longer one the beginning and the end are left: what a peer says is said to everybody, in a header.
    """
    line = shown(" ".join(said.split()))
    half = longest // 2
    return line if len(line) <= longest else f"{line[:half]} .. {line[-half:]}"


def _written_out(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
