"""How sure a claim is that may be wrong with some probability, rounded down: never wholly."""

import math
from decimal import ROUND_FLOOR, Context, Decimal

_DIGITS = 7


def confidence(delta: float) -> float:
    """Return how sure a claim is, as a number that is not rounded to 1.

    Parameters
    ----------
    delta : float
        Probability in (0, 1) with which it may be wrong.

    Returns
    -------
    float
        At most 1 - delta, in the decimal digits that name the floats.

    Examples
    --------
    >>> confidence(0.05), confidence(1e-20)
    (0.95, 0.9999999999999999)
    """
    exact = _beside_one(delta, 40)
    nearest = float(exact)
    return nearest if Decimal(repr(nearest)) <= exact else math.nextafter(nearest, 0.0)


def confidence_in_words(delta: float) -> str:
    """Write how sure a claim is in percent, and where that has too many digits the probability too.

    Parameters
    ----------
    delta : float
        Probability in (0, 1) with which it may be wrong.

    Returns
    -------
    str

    Examples
    --------
    >>> confidence_in_words(0.05), confidence_in_words(1e-9)
    ('95 % confidence', '99.99999 % confidence (wrong with a probability of at most 1e-09)')
    """
    sure = 100 * _beside_one(delta, _DIGITS)
    short = sure.normalize()
    whole = f"{short:f} % confidence"
    if sure == 100 * (1 - Decimal(repr(delta))):
        return whole
    return f"{whole} (wrong with a probability of at most {delta!r})"


def _beside_one(delta: float, digits: int) -> Decimal:
    """Return 1 - delta, rounded down."""
    return Context(prec=digits, rounding=ROUND_FLOOR).subtract(Decimal(1), Decimal(repr(delta)))
