"""One chart: curves with their uncertainty, levels and events, for eyes, keyboards and screen readers.

The curves are an SVG that is stretched to the width of the page; its axes are text beside it, so letters
stay readable on a phone. A reading cursor (a slider, in the words of ARIA) tells the values at a point, and a
table holds the numbers. Colours come from the style sheet by class, so light and dark need no second drawing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from bnpg.report.scale import Scale, fit, shown
from bnpg_math.arrays import FloatArray

WIDTH, HEIGHT = 1000.0, 400.0
"""Units of the drawing; it is stretched."""
MOST_POINTS = 600
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
    look : str
        Its class in the style sheet.
    x, y : (K,) float
        Points; x ascending.
    low, high : (K,) float, optional
        Its uncertainty.
    dots : bool
        Whether every point is marked.
    """

    label: str
    look: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    dots: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal line: an optimum, a bound."""

    label: str
    look: str
    y: float


@dataclass(frozen=True)
class Event:
    """Something that happened at a point of the horizontal axis."""

    label: str
    look: str
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
    """

    name: str
    title: str
    caption: str
    xlabel: str
    ylabel: str
    series: Sequence[Series]
    levels: Sequence[Level] = ()
    events: Sequence[Event] = ()
    log: bool = False
    _scales: list[tuple[Scale, Scale]] = field(default_factory=list, compare=False, repr=False)

    @property
    def scales(self) -> tuple[Scale, Scale]:
        """The horizontal and the vertical axis."""
        if not self._scales:
            across = [one.x for one in self.series]
            across += [np.array([one.x, one.until or one.x]) for one in self.events]
            upright = [one.y for one in self.series]
            # On a logarithmic axis an interval may reach 0: it is cut off rather than let it set the axis.
            upright += [one.low for one in self.series if one.low is not None and not self.log]
            upright += [one.high for one in self.series if one.high is not None]
            upright += [np.array([one.y]) for one in self.levels]
            self._scales.append((fit(across, whole=True), fit(upright, log=self.log)))
        return self._scales[0]

    @property
    def curves(self) -> list[dict[str, str]]:
        """Paths of bands, lines and dots, in drawing order."""
        return [self._curve(one) for one in self.series]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Levels with their heights."""
        vertical = self.scales[1]
        return [
            {"look": one.look, "y": f"{HEIGHT * (1 - float(vertical.place(one.y))):.2f}"}
            for one in self.levels
        ]

    @property
    def marks(self) -> list[dict[str, Any]]:
        """Events with their places, in percent of the width."""
        horizontal = self.scales[0]
        marks = []
        for number, one in enumerate(self.events, 1):
            left = 100 * float(horizontal.place(one.x))
            until = left if one.until is None else 100 * float(horizontal.place(one.until))
            marks.append({"look": one.look, "label": one.label, "number": number, "left": f"{left:.3f}",
                          "width": f"{max(until - left, 0):.3f}"})  # fmt: skip
        return marks

    @property
    def xticks(self) -> list[tuple[str, str]]:
        """Places (percent from the left) and texts; a narrow page leaves out every second one."""
        scale = self.scales[0]
        return [(f"{100 * float(scale.place(tick)):.3f}", shown(tick)) for tick in scale.ticks(8)]

    @property
    def yticks(self) -> list[tuple[str, str]]:
        """Places (percent from the top) and texts."""
        scale = self.scales[1]
        return [(f"{100 * (1 - float(scale.place(tick))):.3f}", shown(tick)) for tick in scale.ticks(6)]

    @property
    def legend(self) -> list[dict[str, str]]:
        """Look, kind and label of everything drawn."""
        entries = [
            {"look": one.look, "kind": "line" if one.low is None else "band", "label": one.label}
            for one in self.series
        ]
        return entries + [{"look": one.look, "kind": "level", "label": one.label} for one in self.levels]

    @property
    def spoken(self) -> str:
        """The chart in one sentence, for those who do not see it."""
        told = [
            f"{one.label} goes from {shown(one.y[0])} to {shown(one.y[-1])}"
            for one in self.series
            if len(one.y)
        ]
        told += [f"{one.label} is at {shown(one.y)}" for one in self.levels]
        return f"{self.title}. " + "; ".join(told) + "."

    @property
    def readings(self) -> str:
        """What the reading cursor tells, as JSON that is safe within a page."""
        xs = np.unique(np.concatenate([one.x for one in self.series])) if self.series else np.zeros(0)
        xs = xs[_thinned(len(xs), MOST_POINTS)]
        horizontal, vertical = self.scales
        rows = []
        for one in self.series:
            nearest = _latest(one.x, xs)
            told = [
                None if index < 0 else [shown(float(one.y[index])), _spread(one, index),
                                        round(float(1 - vertical.place(float(one.y[index]))), 4)]
                for index in nearest
            ]  # fmt: skip
            rows.append({"label": one.label, "look": one.look, "at": told})
        content = {
            "x": [shown(float(x)) for x in xs],
            "left": [round(float(place), 5) for place in horizontal.place(xs)],
            "xlabel": self.xlabel,
            "series": rows,
        }
        return json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")

    @property
    def table(self) -> tuple[list[str], list[list[str]], int]:
        """Head and rows of the numbers behind the chart, and how many points there are in all."""
        xs = np.unique(np.concatenate([one.x for one in self.series])) if self.series else np.zeros(0)
        head = [self.xlabel, *(one.label for one in self.series)]
        rows = []
        for x in xs[_thinned(len(xs), MOST_ROWS)]:
            row = [shown(float(x))]
            for one in self.series:
                where = np.flatnonzero(one.x == x)
                row.append(
                    "" if not len(where) else f"{shown(float(one.y[where[0]]))}{_spread(one, where[0])}"
                )
            rows.append(row)
        return head, rows, len(xs)

    def _curve(self, one: Series) -> dict[str, str]:
        horizontal, vertical = self.scales
        keep = _thinned(len(one.x), MOST_POINTS, one.y)
        x = WIDTH * horizontal.place(one.x[keep])
        y = HEIGHT * (1 - vertical.place(one.y[keep]))
        band = ""
        if one.low is not None and one.high is not None:
            top = HEIGHT * (1 - vertical.place(one.high[keep]))
            bottom = HEIGHT * (1 - vertical.place(one.low[keep]))
            band = _path(np.concatenate([x, x[::-1]]), np.concatenate([top, bottom[::-1]])) + "Z"
        # A line of length 0 with round ends stays round however the drawing is stretched.
        dots = "".join(f"M{a:.1f} {b:.2f}h0" for a, b in zip(x, y, strict=True)) if one.dots else ""
        return {"look": one.look, "line": _path(x, y), "band": band, "dots": dots}


def _path(x: FloatArray, y: FloatArray) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.2f}" for a, b in zip(x, y, strict=True)) if len(x) else ""


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


def _latest(x: FloatArray, xs: FloatArray) -> list[int]:
    """Return for each of xs the index of the last point at or before it, -1 if there is none."""
    return [int(index) - 1 for index in np.searchsorted(x, xs, side="right")]


def _spread(one: Series, index: int) -> str:
    if one.low is None or one.high is None:
        return ""
    low, high, middle = float(one.low[index]), float(one.high[index]), float(one.y[index])
    if abs((high - middle) - (middle - low)) <= 1e-9 * max(abs(middle), 1.0):
        return f" ± {shown(high - middle)}"
    return f" ({shown(low)} to {shown(high)})"
