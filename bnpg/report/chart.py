"""One chart: curves with their uncertainty, levels and events, for eyes, keyboards and screen readers.

This is what a chart says; `templates/chart.js` draws it with Observable Plot. What can be read without a
browser that runs scripts is here: a sentence, and a table of the numbers.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bnpg.report.numbers import shown, shown_between
from bnpg_math.arrays import FloatArray

MOST_POINTS = 1200
"""Points of a drawn curve: more than a screen shows are thinned out, extremes kept."""
MOST_ROWS = 40
"""Rows of a chart's table."""


@dataclass(frozen=True)
class Series:
    """A curve.

    Parameters
    ----------
    label : str
        For the legend.
    style : str
        Its class in the style sheet.
    x, y : (K,) float
        Points; x ascending.
    low, high : (K,) float, optional
        Its uncertainty.
    error : (K,) float, optional
        What low and high are to either side, which is not known from them where it is below their rounding.
    dots : bool
        Whether every point is marked.
    """

    label: str
    style: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    dots: bool = False
    error: FloatArray | None = None


@dataclass(frozen=True)
class Level:
    """A horizontal line: an optimum, a bound."""

    label: str
    style: str
    y: float


@dataclass(frozen=True)
class Mark:
    """Something that happened at a point of the horizontal axis."""

    label: str
    style: str
    x: float
    until: float | None = None


@dataclass(frozen=True)
class Chart:
    """All that is drawn in one frame.

    Parameters
    ----------
    name : str
        Unique on the page.
    title, caption : str
        What is seen, and what it means.
    xlabel, ylabel : str
    series, levels, events
        What is drawn.
    log : bool
        Whether the vertical axis is logarithmic.
    floor : float, optional
        Where on a logarithmic axis everything below is drawn; the least positive value if it is not given.
    """

    name: str
    title: str
    caption: str
    xlabel: str
    ylabel: str
    series: Sequence[Series]
    levels: Sequence[Level] = ()
    events: Sequence[Mark] = ()
    log: bool = False
    floor: float | None = None

    @property
    def least(self) -> float | None:
        """Where everything below is drawn, as 0 has no place on a logarithmic axis; None on another."""
        if not self.log:
            return None
        if self.floor:
            return self.floor
        positive = [curve.y[(curve.y > 0.0) & np.isfinite(curve.y)] for curve in self.series]
        return min((float(values.min()) for values in positive if len(values)), default=1.0)

    @property
    def seen(self) -> float:
        """A hundredth of what the values span: what is drawn apart is told apart. 0 on a logarithmic axis."""
        values = np.concatenate([np.zeros(0), *(curve.y for curve in self.series)])
        values = values[np.isfinite(values)]
        return 0.0 if self.log or not len(values) else float(values.max() / 100 - values.min() / 100)

    @property
    def legend(self) -> list[dict[str, str]]:
        """Look, kind and label of everything drawn."""
        entries = [
            {"style": curve.style, "kind": "line" if curve.low is None else "band", "label": curve.label}
            for curve in self.series
        ]
        return entries + [
            {"style": level.style, "kind": "level", "label": level.label} for level in self.levels
        ]

    @property
    def spoken(self) -> str:
        """The chart in one sentence, for those who do not see it."""
        seen = self.seen
        sentences = [
            f"{curve.label} goes from {shown(curve.y[0], seen)} to {shown(curve.y[-1], seen)}"
            for curve in self.series
            if len(curve.y)
        ]
        sentences += [f"{level.label} is at {shown(level.y)}" for level in self.levels]
        return f"{self.title}. " + "; ".join(sentences) + "."

    @property
    def document(self) -> str:
        """What the browser draws, as JSON that is safe within a page; what is not finite is null."""
        content = {
            "name": self.name,
            "title": self.title,
            "xlabel": self.xlabel,
            "ylabel": self.ylabel,
            "log": self.log,
            "floor": self.least,
            "series": [_thin(curve) for curve in self.series],
            "levels": [asdict(level) for level in self.levels if math.isfinite(level.y)],
            "events": [asdict(event) for event in self.events],
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")

    @property
    def table(self) -> tuple[list[str], list[list[str]], int]:
        """Head and rows of the numbers behind the chart, and how many points there are in all."""
        xs = np.unique(np.concatenate([curve.x for curve in self.series])) if self.series else np.zeros(0)
        head = [self.xlabel, *(curve.label for curve in self.series)]
        rows, seen = [], self.seen
        for x in xs[_thinned(len(xs), MOST_ROWS)]:
            row = [shown(float(x))]
            for curve in self.series:
                where = np.flatnonzero(curve.x == x)
                row.append("" if not len(where) else _told(curve, int(where[0]), seen))
            rows.append(row)
        return head, rows, len(xs)


def _thin(curve: Series) -> dict[str, Any]:
    keep = _thinned(len(curve.x), MOST_POINTS, curve.y)
    columns = {"x": curve.x, "y": curve.y, "low": curve.low, "high": curve.high, "error": curve.error}
    points = {name: _finite(column[keep]) for name, column in columns.items() if column is not None}
    return {"label": curve.label, "style": curve.style, "dots": curve.dots} | points


def _finite(values: FloatArray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _thinned(count: int, most: int, y: FloatArray | None = None) -> "np.ndarray[Any, np.dtype[np.intp]]":
    """Return which of `count` points to show: the ends always, of each stretch the lowest and the highest."""
    if count <= most:
        return np.arange(count)
    if y is None:
        return np.unique(np.linspace(0, count - 1, most).round().astype(np.intp))
    edges = np.linspace(0, count, most // 2 + 1).astype(np.intp)
    kept = [0, count - 1]
    for start, stop in pairwise(edges):
        stretch = y[start:stop]
        kept += [start + int(stretch.argmin()), start + int(stretch.argmax())]
    return np.unique(np.array(kept, dtype=np.intp))


def _told(curve: Series, index: int, seen: float) -> str:
    """Return a value with its uncertainty, with digits enough to see that, or what the chart lets one see."""
    middle = float(curve.y[index])
    if curve.error is not None:
        error = float(curve.error[index])
        return f"{shown(middle, error)} ± {shown(error)}"
    if curve.low is None or curve.high is None:
        return shown(middle, seen)
    low, high = float(curve.low[index]), float(curve.high[index])
    # Both sides alike, up to the rounding of middle ± error, in whatever unit.
    if abs((high - middle) - (middle - low)) <= 1e-9 * (high - low) + 4.0 * math.ulp(1.0) * abs(middle):
        return f"{shown(middle, high - middle)} ± {shown(high - middle)}"
    return shown_between(middle, low, high)
