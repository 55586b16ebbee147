"""The discount of a game: which ones there are values for."""

from typing import Any

from bnpg_math.arrays.npz import scalar
from bnpg_math.errors import GameError

LARGEST_DISCOUNT = 1.0 - 2.0**-51
"""Nearer to 1 the numbers that arithmetic of 53 bits comes to are not those of the game."""


def discount(gamma: Any) -> float:
    """Return a discount that a game can have.

    Parameters
    ----------
    gamma : real number
        In [0, 1), and at most `LARGEST_DISCOUNT`.

    Raises
    ------
    GameError
        If it is none of these.

    Examples
    --------
    >>> discount(0.9)
    0.9
    """
    given = scalar(gamma, "gamma", GameError)
    if not 0.0 <= given < 1.0:
        raise GameError(f"gamma must be in [0, 1), got {given:g}")
    if given > LARGEST_DISCOUNT:
        raise GameError(
            f"gamma must be at most 1 - 2^-51, got {given!r}: so near to 1 no value can be told from another"
        )
    return given
