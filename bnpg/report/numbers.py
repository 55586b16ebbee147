"""Numbers as a person reads them."""

import math

SMALLEST = 1e-12
"""On a logarithmic axis everything below this is rounding and drawn here."""


def shown(value: float) -> str:
    """Return a number as a person reads it: short, without false precision."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else "not a number"
    size = abs(value)
    if size < 1e-3 or size >= 1e6:
        mantissa, exponent = f"{value:.3g}".split("e") if "e" in f"{value:.3g}" else (f"{value:.3g}", "")
        if not exponent:
            return mantissa
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return (f"{mantissa}·10{power}") if mantissa not in ("1", "-1") else f"{mantissa[:-1]}10{power}"
    return f"{value:.4g}" if size < 1e4 else f"{value:.0f}"
