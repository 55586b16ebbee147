"""Many runs watched at once: rows that follow their folders, curves and pages of those that are asked for."""

import json
import os
import time
from pathlib import Path

import numpy as np
from bnpg_coordinator import run_files

from bnpg.catalogue.catalogue import Catalogue
from bnpg.catalogue.entry import RUNNING, UNREADABLE, Entry
from bnpg.catalogue.selection import field, fields
from bnpg.measures import GAPS, named
from bnpg.report.chart import Chart, Series
from bnpg.report.comparison import LOOKS
from bnpg.report.comparison_charts import aligned, quartiles
from bnpg.report.measurements import Measurements
from bnpg.report.numbers import shown
from bnpg.report.page import Page, render_page, render_section, render_template
from bnpg.report.recorded_run import read_run
from bnpg.report.run_page import run_report
from bnpg.run_folder import RunFolder
from bnpg.watch.source import WatchedPage
from bnpg_math.arrays import FloatArray
from bnpg_math.errors import InputError

MEASURES = named(
    "value", "return_mean", "optimality_gap", "nash_gap", "objective", "gradient_norm", value="exact value"
)
LOGARITHMIC = frozenset({*GAPS, "gradient_norm"})
_OF_A_RUN = (
    run_files.EXPERIMENT, run_files.IDENTITY, run_files.LAUNCH, run_files.RECORD, run_files.SUMMARY,
    run_files.STATUS,
)  # fmt: skip
MOST_CURVES = 40
"""Curves of single runs in one chart."""
MOST_GROUPED = 400
"""Runs whose curves are put together in groups."""


def is_many(folder: Path) -> bool:
    """Whether a folder is one of many runs, or of none yet, and not the folder of a run, whole or not."""
    return folder.is_dir() and not any(os.path.lexists(folder / name) for name in _OF_A_RUN)


class ManyRuns:
    """The runs below a folder, as a page that follows them.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        If it is no folder or cannot be read.
    """

    scripts: tuple[str, ...] = ("templates/catalogue.js",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._catalogue = Catalogue(folder)
        self._entries: dict[int, Entry] = {}
        self._numbers: dict[str, int] = {}
        self._texts: dict[str, tuple[Entry, str]] = {}
        measures = list(MEASURES.items())
        self._sections = (
            render_section("runs", "Runs", "catalogue.html.j2"),
            render_section("curves", "Curves", "overlay.html.j2", measures=measures),
            render_section("differences", "What differs", "settings.html.j2"),
        )

    def page(self) -> WatchedPage:
        """Return the rows as they are now; those of runs that did not change are the same text."""
        try:
            entries = self._catalogue.entries()
        except InputError as error:
            rows = {name: text for name, (_, text) in self._texts.items()}
            return WatchedPage(self._title, "", False, str(error), self._sections, rows)
        for entry in entries:
            number = self._numbers.setdefault(entry.name, len(self._numbers))
            self._entries[number] = entry
            known = self._texts.get(entry.name)
            if known is None or known[0] is not entry:
                self._texts[entry.name] = (entry, json.dumps(_row(number, entry), allow_nan=False))
        names = {entry.name for entry in entries}
        self._texts = {name: text for name, text in self._texts.items() if name in names}
        rows = {name: text for name, (_, text) in self._texts.items()}
        running = sum(entry.state == RUNNING for entry in entries)
        state = f"live: {len(entries)} run{'s' * (len(entries) != 1)}, {running} under way"
        return WatchedPage(self._title, str(self._folder.absolute()), True, state, self._sections, rows)

    @property
    def _title(self) -> str:
        return f"Runs in {self._folder.absolute().name or self._folder}"

    def overlay(self, measure: str, numbers: list[int], group: str) -> str:
        """Return the chart of some runs in one measure, as a part of the page, or why there is none.

        Raises
        ------
        InputError
            If one of the words is not known.
        """
        if measure not in MEASURES:
            raise InputError(f"measure: expected one of {', '.join(MEASURES)}, got {measure!r}")
        entries = [self._entries[number] for number in numbers if number in self._entries]
        most = MOST_GROUPED if group else MOST_CURVES
        if len(entries) > most:
            hint = "" if group else "; group them by a field to see medians"
            refused = f"{len(entries)} runs are selected, at most {most} are drawn at once{hint}."
            return render_template("charts.html.j2", charts=[], words=[refused])
        curves = [(entry, *_curve(entry, measure)) for entry in entries if entry.state != UNREADABLE]
        curves = [curve for curve in curves if len(curve[1])]
        if not curves:
            none = f"None of these runs has measured its {MEASURES[measure]} yet."
            return render_template("charts.html.j2", charts=[], words=[none])
        log = measure in LOGARITHMIC
        if group:
            name = field(group, fields(entries))
            series = _bands(curves, name)
            caption = f"Medians of the runs with the same {name}; a band holds the middle half of them."
        else:
            series = [
                Series(entry.name, f"group-{k % LOOKS}", rounds, values, dots=len(rounds) < 40)
                for k, (entry, rounds, values) in enumerate(curves)
            ]
            caption = "A curve for each selected run."
        words = MEASURES[measure]
        chart = Chart(
            "overlay", words[0].upper() + words[1:], caption, "round",
            f"{words} (logarithmic)" if log else words, series, log=log,
        )  # fmt: skip
        return render_template("charts.html.j2", charts=[chart], words=[])

    def run(self, number: int, nonce: str) -> str | None:
        """Return the report of one run as it is now; None if there is no such run.

        Raises
        ------
        InputError
            If its folder cannot be read.
        """
        entry = self._entries.get(number)
        if entry is None:
            return None
        report = run_report(read_run(entry.folder))
        seen = time.strftime("%H:%M:%S")
        return render_page(Page(report.title, f"{report.subtitle} · as of {seen}", report.sections), nonce)


def _row(number: int, entry: Entry) -> dict[str, object]:
    return {
        "id": number, "run": entry.name, "state": entry.state, "why": entry.why, "created": entry.created,
        **entry.numbers, "settings": {key: value for key, value in entry.settings.items() if key != "rounds"},
    }  # fmt: skip


def _curve(entry: Entry, measure: str) -> tuple[FloatArray, FloatArray]:
    try:
        rounds, values = Measurements(RunFolder(entry.folder).lines).column(measure)
    except InputError:
        return np.zeros(0), np.zeros(0)
    return rounds, values


def _bands(curves: list[tuple[Entry, FloatArray, FloatArray]], name: str) -> list[Series]:
    groups: dict[str, list[list[FloatArray]]] = {}
    for entry, rounds, values in curves:
        cell = entry.cell(name)
        words = shown(cell) if isinstance(cell, float) else str(cell)
        groups.setdefault(f"{name} {words}", []).append([rounds, values])
    series = []
    for k, (label, members) in enumerate(groups.items()):
        rounds, stacked = aligned(members)
        if len(rounds):
            low, middle, high = quartiles(stacked)
            ends = (low, high) if len(members) > 1 else (None, None)
            words = f"{label} ({len(members)} run{'s' * (len(members) > 1)})"
            series.append(Series(words, f"group-{k % LOOKS}", rounds, middle, *ends))
    return series
