"""Checking the parameters of the built-in games."""

import math

from bnpg_math.errors import GameError

LARGEST_TABLE = 1 << 27
"""Most entries of any one table of a built-in game: 1 GiB of float64."""


def between(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Refuse a parameter out of its range.

    Parameters
    ----------
    name : str
        Of the game and the parameter.
    value : float
        What came.
    least, most : float
        What is expected, both ends included.

    Raises
    ------
    GameError
    """
    if not least <= value <= most:
        expected = f"at least {least:g}" if most == math.inf else f"in [{least:g}, {most:g}]"
        raise GameError(f"{name} must be {expected}, got {value:g}")


def fits(name: str, entries: int) -> None:
    """Refuse parameters that would need an enormous table, before it is allocated.

    Parameters
    ----------
    name : str
        Of the game.
    entries : int
        Of its largest table.

    Raises
    ------
    GameError
    """
    if entries > LARGEST_TABLE:
        raise GameError(f"{name} needs a table of {entries} numbers; expected at most {LARGEST_TABLE}")
