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
    style : str
        Its class in the style sheet.
    x, y : (K,) float
        Points; x ascending.
    low, high : (K,) float, optional
        Its uncertainty.
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


@dataclass(frozen=True)
class Level:
    """A horizontal line: an optimum, a bound."""

    label: str
    style: str
    y: float


@dataclass(frozen=True)
class Event:
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
            across = [curve.x for curve in self.series]
            across += [np.array([event.x, event.until or event.x]) for event in self.events]
            upright = [curve.y for curve in self.series]
            # On a logarithmic axis an interval may reach 0: it is cut off rather than let it set the axis.
            upright += [curve.low for curve in self.series if curve.low is not None and not self.log]
            upright += [curve.high for curve in self.series if curve.high is not None]
            upright += [np.array([level.y]) for level in self.levels]
            self._scales.append((fit(across, whole=True), fit(upright, log=self.log)))
        return self._scales[0]

    @property
    def curves(self) -> list[dict[str, str]]:
        """Paths of bands, lines and dots, in drawing order."""
        return [self._curve(curve) for curve in self.series]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Levels with their heights."""
        vertical = self.scales[1]
        return [
            {"style": level.style, "y": f"{HEIGHT * (1 - float(vertical.place(level.y))):.2f}"}
            for level in self.levels
        ]

    @property
    def marks(self) -> list[dict[str, Any]]:
        """Events with their places, in percent of the width."""
        horizontal = self.scales[0]
        marks = []
        for number, event in enumerate(self.events, 1):
            left = 100 * float(horizontal.place(event.x))
            until = left if event.until is None else 100 * float(horizontal.place(event.until))
            marks.append({"style": event.style, "label": event.label, "number": number, "left": f"{left:.3f}",
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
            {"style": curve.style, "kind": "line" if curve.low is None else "band", "label": curve.label}
            for curve in self.series
        ]
        return entries + [
            {"style": level.style, "kind": "level", "label": level.label} for level in self.levels
        ]

    @property
    def spoken(self) -> str:
        """The chart in one sentence, for those who do not see it."""
        sentences = [
            f"{curve.label} goes from {shown(curve.y[0])} to {shown(curve.y[-1])}"
            for curve in self.series
            if len(curve.y)
        ]
        sentences += [f"{level.label} is at {shown(level.y)}" for level in self.levels]
        return f"{self.title}. " + "; ".join(sentences) + "."

    @property
    def readings(self) -> str:
        """What the reading cursor tells, as JSON that is safe within a page."""
        xs = np.unique(np.concatenate([curve.x for curve in self.series])) if self.series else np.zeros(0)
        xs = xs[_thinned(len(xs), MOST_POINTS)]
        horizontal, vertical = self.scales
        rows = []
        for curve in self.series:
            nearest = _latest(curve.x, xs)
            values = [
                None if index < 0 else [shown(float(curve.y[index])), _spread(curve, index),
                                        round(float(1 - vertical.place(float(curve.y[index]))), 4)]
                for index in nearest
            ]  # fmt: skip
            rows.append({"label": curve.label, "style": curve.style, "at": values})
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
        xs = np.unique(np.concatenate([curve.x for curve in self.series])) if self.series else np.zeros(0)
        head = [self.xlabel, *(curve.label for curve in self.series)]
        rows = []
        for x in xs[_thinned(len(xs), MOST_ROWS)]:
            row = [shown(float(x))]
            for curve in self.series:
                where = np.flatnonzero(curve.x == x)
                row.append(
                    "" if not len(where) else f"{shown(float(curve.y[where[0]]))}{_spread(curve, where[0])}"
                )
            rows.append(row)
        return head, rows, len(xs)

    def _curve(self, curve: Series) -> dict[str, str]:
        horizontal, vertical = self.scales
        keep = _thinned(len(curve.x), MOST_POINTS, curve.y)
        x = WIDTH * horizontal.place(curve.x[keep])
        y = HEIGHT * (1 - vertical.place(curve.y[keep]))
        band = ""
        if curve.low is not None and curve.high is not None:
            top = HEIGHT * (1 - vertical.place(curve.high[keep]))
            bottom = HEIGHT * (1 - vertical.place(curve.low[keep]))
            band = _path(np.concatenate([x, x[::-1]]), np.concatenate([top, bottom[::-1]])) + "Z"
        # A line of length 0 with round ends stays round however the drawing is stretched.
        dots = "".join(f"M{a:.1f} {b:.2f}h0" for a, b in zip(x, y, strict=True)) if curve.dots else ""
        return {"style": curve.style, "line": _path(x, y), "band": band, "dots": dots}


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


def _spread(curve: Series, index: int) -> str:
    if curve.low is None or curve.high is None:
        return ""
    low, high, middle = float(curve.low[index]), float(curve.high[index]), float(curve.y[index])
    if abs((high - middle) - (middle - low)) <= 1e-9 * max(abs(middle), 1.0):
        return f" ± {shown(high - middle)}"
    return f" ({shown(low)} to {shown(high)})"
