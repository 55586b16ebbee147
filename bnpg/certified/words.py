"""How bounds are told: rounded up, and with what they rest on."""

import sys
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

EXACTLY = "verified in exact arithmetic"
IN_FLOATS = "computed in floating point, rounding included"


def rounded_up(number: float, digits: int = 4) -> str:
    """Write a bound with a few digits, never smaller than it is.

    Parameters
    ----------
    number : float
        Finite.
    digits : int
        Significant ones.

    Returns
    -------
    str

    Examples
    --------
    >>> rounded_up(0.69961), rounded_up(0.5), rounded_up(123456.7), rounded_up(0.0)
    ('0.6997', '0.5', '1.235e+05', '0')
    """
    return _rounded(number, digits, ROUND_CEILING)


def rounded_down(number: float, digits: int = 4) -> str:
    """Write a lower bound with a few digits, never larger than it is.

    Parameters
    ----------
    number : float
        Finite.
    digits : int
        Significant ones.

    Returns
    -------
    str

    Examples
    --------
    >>> rounded_down(0.69969), rounded_down(0.5), rounded_down(123456.7), rounded_down(0.0)
    ('0.6996', '0.5', '1.234e+05', '0')
    """
    return _rounded(number, digits, ROUND_FLOOR)


def _rounded(number: float, digits: int, direction: str) -> str:
    # From the decimal digits that name the float: 0.1 is told as 0.1.
    # Of numbers with few bits it is not next to them: those are told from what they are.
    subnormal = 0.0 < abs(number) < sys.float_info.min
    exactly = Decimal(float(number)) if subnormal else Decimal(repr(float(number)))
    beyond = Context(prec=digits, rounding=direction).create_decimal(exactly)
    if subnormal:
        return f"{beyond:.{digits - 1}e}"
    return f"{float(beyond):.{digits}g}"
