"""How a person is told of an error or a warning: in one line, and one that can be read."""

import click

LONGEST = 900
"""Characters; of a longer text the beginning and the end are shown. What it quotes may be a whole file."""


def tell_error(text: str) -> None:
    """Write an error to standard error."""
    click.echo(f"bnpg: error: {in_a_line(text)}", err=True)


def in_a_line(text: str) -> str:
    """Return a text in one line of at most `LONGEST` characters, and a few; a terminal shows each of them."""
    line = "".join(map(_shown, " ".join(text.split())))
    if len(line) <= LONGEST:
        return line
    half = LONGEST // 2
    return f"{line[:half]} .. {line[-half:]}"


def _shown(letter: str) -> str:
    """Return a letter, or how Python writes it: what a file is called may be an order to the terminal."""
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
