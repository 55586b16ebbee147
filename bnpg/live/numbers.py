"""The numbers of a run in words, for lines and for the terminal."""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from bnpg_coordinator.line import Line, number

from bnpg.measures import GAPS
from bnpg_math.arrays.by_two import share_of_way

_TICKS = "▁▂▃▄▅▆▇█"


def in_words(latest: Line, best: float | None = None) -> list[tuple[str, str, str]]:
    """Return field, name and value of what is known, the most telling first.

    Parameters
    ----------
    latest : Line
        The latest value of every recorded number.
    best : float, optional
        V*, to be said beside the value.
    """
    words = []
    mean, error, value = number(latest.return_mean), number(latest.return_stderr), number(latest.value)
    if mean is not None:
        words.append(("return_mean", "return", with_error(mean, error or None)))
    if value is not None:
        share = f" ({_percent(value / best)})" if best is not None and best > 0 else ""
        of = "" if best is None else f" of {decimals(best)}{share}"
        words.append(("value", "exact value", f"{decimals(value)}{of}"))
    for key, name in GAPS.items():
        gap = number(getattr(latest, key))
        if gap is not None:
            words.append((key, name, f"{gap:.4g}"))
    return words


def _percent(share: float) -> str:
    """Write a share with one decimal; what is not all is not told as all."""
    return f"{min(100 * share, 99.9) if share < 1 else 100 * share:.1f} %"


def decimals(value: float) -> str:
    """Write a value with four decimals, and a small one with four digits: 0.0000 would say that it is 0."""
    usual = value == 0 or 0.01 <= abs(value) < 1e12
    return f"{value:.4f}" if usual else f"{value:.4g}" if abs(value) < 0.01 else f"{value:.12g}"


@dataclass(frozen=True)
class _Digits:
    """How numbers that belong together are written: with so many decimals, times a power of ten."""

    places: int
    tens: int = 0

    def written(self, value: float, rounding: str = ROUND_HALF_EVEN) -> str:
        if not self.tens and rounding == ROUND_HALF_EVEN:
            return f"{value:.{self.places}f}"
        rounded = Decimal(value).quantize(Decimal((0, (1,), self.tens - self.places)), rounding)
        power = f"e{self.tens:+03d}" if self.tens else ""
        return f"{rounded.scaleb(-self.tens):.{self.places}f}{power}"


def _digits(size: float, half: float) -> _Digits:
    """Return those that show two digits of a half-width beside a size, and no more than a double has."""
    largest = Decimal(max(size, half)).adjusted()
    tens = 0 if max(size, half) == 0 or 0.01 <= max(size, half) < 1e6 else largest
    wanted = tens - Decimal(half).adjusted() + 1 if half else 0
    return _Digits(min(max(wanted, 1 if tens and half else 3), 16 + tens - largest), tens)


def with_error(mean: float, error: float | None) -> str:
    """Write a mean with its standard error: with three decimals, and more where they would hide the error.

    >>> with_error(52.52, 0.0987), with_error(1e-5, 3e-6), with_error(1e9, 0.01)
    ('52.520 ± 0.099', '1.00e-05 ± 3.0e-06', '1.000000000000e+09 ± 1.0e-02')
    """
    if not math.isfinite(mean) or error is None or not math.isfinite(error):
        return f"{mean:.3f}" if mean == 0 or 0.01 <= abs(mean) < 1e6 else f"{mean:.4g}"
    digits = _digits(abs(mean), error)
    hidden = digits.tens or 0.0 < error < 10.0 ** (1 - digits.places)
    if hidden:
        return f"{digits.written(mean)} ± " + (f"{error:.1e}" if error else "0")
    return f"{digits.written(mean)} ± {digits.written(error)}"


def with_ends(mean: float, low: float, high: float) -> str:
    """Write a mean with the ends of its interval; what is rounded goes outwards.

    >>> with_ends(1.5, 1.3081, 1.6919), with_ends(1e9, 1e9 - 1e3, 1e9 + 1e3)
    ('1.500 (1.308 to 1.692)', '1.0000000e+09 (0.9999990e+09 to 1.0000010e+09)')
    """
    half = high / 2 - low / 2
    digits = _digits(max(abs(mean), abs(low), abs(high)), half or float(high > low) * math.ulp(0.0))
    ends = digits.written(low, ROUND_FLOOR), digits.written(high, ROUND_CEILING)
    return f"{digits.written(mean)} ({ends[0]} to {ends[1]})"


def sparkline(values: list[float], width: int = 24) -> str:
    """Return a curve of one line; the last values count most, so they are never left out."""
    if len(values) > width:
        step = (len(values) - 1) / (width - 1)
        values = [values[round(k * step)] for k in range(width)]
    if not values:
        return ""
    low, high = min(values), max(values)
    if high <= low:
        return _TICKS[3] * len(values)
    return "".join(_TICKS[round(share_of_way(value, low, high) * (len(_TICKS) - 1))] for value in values)
