"""The curves of several groups of runs, one over the other, and of their differences."""

from collections.abc import Sequence

import numpy as np

from bnpg.report.chart import Chart, Level, Series
from bnpg.report.comparison import MEASURES, Group, common_seeds
from bnpg.report.numbers import floor_of
from bnpg_math.arrays import FloatArray


def comparison_charts(groups: Sequence[Group]) -> list[Chart]:
    """Return the curves of the groups of one game, and the curves of their differences."""
    charts = [
        _overlay(groups, "value", "What the teams earn", "exact value", log=False),
        _overlay(groups, "return_mean", "What was played", "return", log=False),
        _overlay(groups, "optimality_gap", "How far they are from the best", "optimality gap", log=True),
        _overlay(groups, "nash_gap", "What one agent could still gain", "Nash gap", log=True),
    ]
    for key in ("value", "return_mean"):
        chart = _difference_chart(groups, key)
        if chart.series:
            charts.append(chart)
            break
    return [chart for chart in charts if chart.series]


def _overlay(groups: Sequence[Group], key: str, title: str, ylabel: str, *, log: bool) -> Chart:
    series = []
    for group in groups:
        middle = _middle_curve(group, key)
        if middle is not None:
            series.append(middle)
    # Of one game they agree to the last digits or so, in whatever unit it pays.
    optima = {
        float(f"{run.optimum:.9g}") for group in groups for run in group.runs if run.optimum is not None
    }
    levels = [Level("best joint policy, V*", "best", optima.pop())] if len(optima) == 1 and not log else []
    many = any(len(group.runs) > 1 for group in groups)
    bands = "medians over the seeds; a band holds the middle half of the runs" if many else "one run each"
    if not many and key == "return_mean":
        bands += ", with the standard error of each round"
    caption = f"Curves are {bands}."
    floor = floor_of(groups[0].runs[0].game) if log and series else None  # none is measured of a simulator
    return Chart(f"compare-{key}", title, caption, "round", f"{ylabel} (logarithmic)" if log else ylabel,
                 series, levels, log=log, floor=floor)  # fmt: skip


def _middle_curve(group: Group, key: str) -> Series | None:
    columns = [run.column(key) for run in group.runs]
    columns = [column for column in columns if len(column[0])]
    if not columns:
        return None
    if len(columns) == 1:
        rounds, values = columns[0]
        if key == "return_mean":
            rounds, values, error = group.runs[0].column(key, "return_stderr")
            low, high = values - error, values + error
            return Series(group.configuration, group.style, rounds, values, low, high, error=error)
        return Series(group.configuration, group.style, rounds, values, dots=len(rounds) < 40)
    rounds, stacked = aligned(columns)
    if not len(rounds):
        return None
    low, middle, high = quartiles(stacked)
    return Series(group.configuration, group.style, rounds, middle, low, high)


def _difference_chart(groups: Sequence[Group], key: str) -> Chart:
    reference, series = groups[0], []
    for group in groups[1:]:
        pairs = common_seeds(reference, group, key)
        columns = []
        for mine, theirs, _ in pairs:
            rounds, values = aligned([mine.column(key), theirs.column(key)])
            columns.append([rounds, values[0] - values[1]])
        if not columns:
            continue
        rounds, stacked = aligned(columns)
        if len(rounds):
            low, middle, high = quartiles(stacked)
            ends = (low, high) if len(stacked) > 1 else (None, None)
            series.append(Series(group.configuration, group.style, rounds, middle, *ends))
    banded = any(curve.low is not None for curve in series)
    return Chart(
        "compare-difference", f"Difference to {reference.configuration}",
        "Above 0 the group earns more than the reference; differences are taken seed by seed"
        + (", the curve is their median and the band holds the middle half." if banded else "."),
        "round", f"difference in {MEASURES[key] if key == 'value' else 'return'}", series,
        [Level("no difference", "best", 0.0)],
    )  # fmt: skip


def aligned(columns: Sequence[Sequence[FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Return the rounds that all columns have, and a row of values for each column."""
    common = columns[0][0]
    for column in columns[1:]:
        common = np.intersect1d(common, column[0])
    rows = [column[1][np.searchsorted(column[0], common)] for column in columns]
    return common, np.stack(rows)


def quartiles(stacked: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lower quartile, median and upper quartile over the runs; positive where all runs are."""
    low, middle, high = np.quantile(stacked, [0.25, 0.5, 0.75], axis=0)
    return low, middle, high
