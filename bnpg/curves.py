"""The picture of one run: what the team earns, and how far it is from the optimum and from equilibrium."""

from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bnpg.report.measurements import Measurements

VALUE, RETURN, BEST, OPTIMALITY, NASH = "#0b3c5d", "#7fb2d9", "#555555", "#0b3c5d", "#d1495b"
"""Colours, told apart by the colour blind."""
SMALLEST_GAP = 1e-12
"""Gaps below this are rounding and drawn here."""


def draw(measured: Measurements, path: Path, title: str) -> None:
    """Draw the curves of a run.

    Parameters
    ----------
    measured : Measurements
        The run record.
    path : Path
        A `.png` file; an older one is replaced in one step.
    title : str
    """
    figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=13, fontweight="bold")
    _draw_values(left, measured)
    _draw_gaps(right, measured)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _draw_values(axes: Axes, measured: Measurements) -> None:
    rounds, mean, error = measured.column("return_mean", "return_stderr")
    if len(rounds):
        axes.fill_between(rounds, mean - error, mean + error, color=RETURN, alpha=0.35, linewidth=0)
    rounds, mean = measured.column("return_mean")
    if len(rounds):
        axes.plot(rounds, mean, color=RETURN, linewidth=1.0, label="return of the episodes ± standard error")
    rounds, value = measured.column("value")
    if len(rounds):
        axes.plot(rounds, value, color=VALUE, linewidth=2.0, label="exact value")
    best = measured.optimum
    if best is not None:
        axes.axhline(
            best, color=BEST, linewidth=1.2, linestyle=(0, (5, 3)), label=f"best joint policy, {best:.4g}"
        )
    _finish(axes, "What the team earns", "discounted return", "lower right")


def _draw_gaps(axes: Axes, measured: Measurements) -> None:
    rounds, nash, optimality = measured.column("nash_gap", "optimality_gap")
    axes.set_yscale("log")
    for gaps, colour, label in (
        (optimality, OPTIMALITY, "optimality gap: to the best joint policy"),
        (nash, NASH, "Nash gap: to the best answer of one agent"),
    ):
        if len(gaps):
            drawn = np.maximum(gaps, SMALLEST_GAP)
            axes.plot(rounds, drawn, color=colour, linewidth=1.8, marker="o", markersize=3, label=label)
    _finish(axes, "How far it is from optimum and equilibrium", "gap (log scale)", "best")


def _finish(axes: Axes, title: str, ylabel: str, place: Literal["best", "lower right"]) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("round")
    axes.set_ylabel(ylabel)
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
