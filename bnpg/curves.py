"""The picture of one run, for those who open no page: the charts of its report, drawn side by side."""

from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bnpg.report.chart import Chart
from bnpg.report.curves import gap_chart, value_chart
from bnpg.report.measurements import Measurements

COLOURS = {"value": "#0b3c5d", "return": "#7fb2d9", "best": "#555555", "nash": "#d1495b"}
"""By the style of a curve; told apart by the colour blind."""


def draw(measured: Measurements, path: Path, title: str, floor: float | None = None) -> None:
    """Draw the curves of a run into a file.

    Parameters
    ----------
    measured : Measurements
        The run record.
    path : Path
        A `.png` file.
    title : str
    floor : float, optional
        Below what gaps are not drawn.
    """
    figure_of(measured, title, floor).savefig(path, format="png")


def figure_of(measured: Measurements, title: str, floor: float | None = None) -> Figure:
    """Return the curves of a run as a figure of matplotlib."""
    figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=13, fontweight="bold")
    _draw(left, value_chart(measured), "lower right")
    _draw(right, gap_chart(measured, floor=floor), "best")
    return figure


def _draw(axes: Axes, chart: Chart, place: Literal["best", "lower right"]) -> None:
    axes.set_yscale("log" if chart.log else "linear")
    for curve in chart.series:
        colour, width = COLOURS[curve.style], 1.0 if curve.style == "return" else 2.0
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.35, linewidth=0)
        marker = "o" if curve.dots else ""
        drawn = curve.y if chart.least is None else np.maximum(curve.y, chart.least)
        axes.plot(
            curve.x, drawn, color=colour, linewidth=width, marker=marker, markersize=3, label=curve.label
        )
    for level in chart.levels:
        label = f"{level.label} = {level.y:.4g}"
        axes.axhline(level.y, color=COLOURS[level.style], linewidth=1.2, linestyle=(0, (5, 3)), label=label)
    axes.set_title(chart.title, loc="left", fontsize=11)
    axes.set_xlabel(chart.xlabel)
    axes.set_ylabel(chart.ylabel)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, loc=place)
    else:
        axes.text(0.5, 0.5, "not evaluated", transform=axes.transAxes, ha="center", color="#888888")
