"""How a person is told of an error or a warning: in one line, and one that can be read."""

import click
from bnpg_protocol.wire.letters import shown

LONGEST = 900
"""Characters; of a longer text the beginning and the end are shown. What it quotes may be a whole file."""


def tell_error(text: str) -> None:
    """Write an error to standard error."""
    click.echo(f"bnpg: error: {in_a_line(text)}", err=True)


def in_a_line(text: str) -> str:
    """Return a text in one line of at most `LONGEST` characters, and a few; a terminal shows each of them."""
    line = shown(" ".join(text.split()))
    if len(line) <= LONGEST:
        return line
    half = LONGEST // 2
    return f"{line[:half]} .. {line[-half:]}"
