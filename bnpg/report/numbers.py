"""Numbers as a person reads them."""

import math
from decimal import Decimal

from bnpg_coordinator.automatic import returns_range

from bnpg_math.games.game import Game

NEGLIGIBLE = 1e-12
"""Of the range of returns: what is below this is rounding, and drawn here on a logarithmic axis."""


MOST_DIGITS = 17
"""Of a double: more tell nothing."""


def floor_of(game: Game) -> float:
    """Return below what a gap or a gradient is not drawn on a logarithmic axis; told it is as it is."""
    return NEGLIGIBLE * returns_range(game)


def shown(value: float, beside: float = 0.0) -> str:
    """Return a number as a person reads it: short, without false precision.

    Parameters
    ----------
    value : float
    beside : float
        What it is told beside, its error or the width of its interval: where the usual digits would hide
        that, it has two digits of that.
    """
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else "not a number"
    size = abs(value)
    small_or_large = size < 1e-3 or size >= 1e6
    digits = 3 if small_or_large else 4 if size < 1e4 else _place(size) + 1
    if 0.0 < beside < 10.0 ** (_place(size) - digits + 1):
        digits = min(_place(size) - _place(beside) + 2, MOST_DIGITS)
        return f"{value:.{digits - 1 - _place(size)}f}" if 1e-3 <= size < 1e15 else _with_power(value, digits)
    if small_or_large:
        return _with_power(value, digits)
    return f"{value:.4g}" if size < 1e4 else f"{value:.0f}"


def shown_between(value: float, low: float, high: float) -> str:
    """Return a number with the ends of its interval, with digits enough to tell them apart."""
    width = high - low
    return f"{shown(value, width)} ({shown(low, width)} to {shown(high, width)})"


def _place(size: float) -> int:
    """Return that of the first digit, as a power of ten."""
    return Decimal(size).adjusted()


def _with_power(value: float, digits: int) -> str:
    written = f"{value:.{digits}g}"
    mantissa, _, exponent = written.partition("e")
    if not exponent:
        return mantissa
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return (f"{mantissa}·10{power}") if mantissa not in ("1", "-1") else f"{mantissa[:-1]}10{power}"
