"""How a person is told of an error or a warning: in one line, and one that can be read."""

import click
from bnpg_protocol.wire.letters import in_one_line

LONGEST = 900
"""Characters that are shown of a text. What it quotes may be a whole file."""


def tell_error(text: str) -> None:
    """Write an error to standard error."""
    click.echo(f"bnpg: error: {in_a_line(text)}", err=True)


def in_a_line(text: str) -> str:
    """Return a text in one line of at most `LONGEST` characters, and a few; a terminal shows each of them."""
    return in_one_line(text, LONGEST)
