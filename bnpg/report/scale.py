"""From numbers to places on an axis, and the numbers worth naming there."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from bnpg_math.arrays import FloatArray

SMALLEST = 1e-12
"""On a logarithmic axis everything below this is rounding and drawn here."""

CLOSE = 1e-9
"""Numbers that differ by less, relatively, are one number with rounding."""


@dataclass(frozen=True)
class Scale:
    """One axis.

    Parameters
    ----------
    low, high : float
        What lies at 0 and at 1; low < high.
    log : bool
        Whether equal steps are equal factors.
    """

    low: float
    high: float
    log: bool = False

    def place(self, values: FloatArray | float) -> FloatArray:
        """Return where values lie: 0 at the low end, 1 at the high end.

        Parameters
        ----------
        values : (K,) float or float

        Returns
        -------
        (K,) float
        """
        placed = np.asarray(values, dtype=np.float64)
        if self.log:
            placed = np.log10(np.maximum(placed, SMALLEST))
            low, high = math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        result: FloatArray = (placed - low) / (high - low)
        return result

    def ticks(self, most: int) -> list[float]:
        """Return round numbers within the axis, at most about `most`."""
        if self.high - self.low <= CLOSE * max(abs(self.low), abs(self.high)):
            return [self.low, self.high]
        if self.log:
            decades = math.log10(self.high / self.low)
            subs = (1.0,) if decades > 3 else (1.0, 2.0, 5.0)
            ticks = LogLocator(subs=subs, numticks=most).tick_values(self.low, self.high)
            if decades < 1:
                ticks = MaxNLocator(nbins=max(most - 2, 2), steps=[1, 2, 5, 10]).tick_values(
                    self.low, self.high
                )
        else:
            ticks = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        slack = 1e-9
        return [float(tick) for tick in ticks if -slack <= float(self.place(float(tick))) <= 1 + slack]


def fit(values: Iterable[FloatArray], *, log: bool = False, whole: bool = False) -> Scale:
    """Return a scale that shows all values.

    Parameters
    ----------
    values : iterable of (K,) float
        Not finite ones are passed over.
    log : bool
        Whether equal steps are equal factors.
    whole : bool
        Whether the axis ends exactly at the extremes, as an axis of rounds does.
    """
    arrays = [np.asarray(array, dtype=np.float64).ravel() for array in values]
    all_ = np.concatenate(arrays) if arrays else np.zeros(0)
    all_ = all_[np.isfinite(all_)]
    if log:
        all_ = np.maximum(all_, SMALLEST)
    if not len(all_):
        return Scale(0.1, 1.0, log) if log else Scale(0.0, 1.0)
    low, high = float(all_.min()), float(all_.max())
    if log:
        room = max((high / low) ** 0.06, 1.1)
        return Scale(low / room, high * room, log)
    if high - low <= CLOSE * max(abs(low), abs(high)):
        room = abs(low) * 0.1 or 1.0
        return Scale(low, high + room) if whole else Scale(low - room, high + room)
    room = 0.0 if whole else 0.06 * (high - low)
    return Scale(low - room, high + room)


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
