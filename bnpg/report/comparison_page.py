"""The comparison of several runs as a page."""

from collections.abc import Sequence

import msgspec

from bnpg.durations import duration
from bnpg.report.comparison import comparison_charts, differences, group_runs, same_results, spoken
from bnpg.report.numbers import shown
from bnpg.report.page import Page, render_section
from bnpg.report.recorded_run import RecordedRun
from bnpg.report.reproduction import reproduction
from bnpg.report.whisker import whiskers


def comparison_report(runs: Sequence[RecordedRun]) -> Page:
    """Return the comparison of several runs."""
    groups = group_runs(runs)
    compared = differences(groups)
    label = {run.folder: group.label for group in groups for run in group.runs}
    games = sorted({str(run.identity["game"]) for run in runs})
    fields = [msgspec.to_builtins(run.experiment) for run in runs]
    differing = [name for name in fields[0] if len({repr(values[name]) for values in fields}) > 1]
    without = (
        "All runs are of one configuration: there is nothing to compare but seeds."
        if len(groups) == 1
        else f"No run shares a seed and a measure with the first group ({groups[0].label}): nothing to pair."
    )
    words = (
        f"{len(runs)} runs in {len(groups)} group{'s' * (len(groups) > 1)}; "
        "runs of one group differ in their seeds alone."
    )
    sections = [
        render_section(
            "summary",
            "The runs",
            "comparison.html.j2",
            words=words,
            identical=same_results(runs),
            rows=[_row(run, label[run.folder]) for run in runs],
        ),
        render_section(
            "differences",
            "Differences",
            "differences.html.j2",
            differences=compared,
            reference=groups[0].label,
            without=without,
            shown=shown,
            spoken=spoken,
            whisker=whiskers(compared),
        ),
        render_section("curves", "Learning", "charts.html.j2", charts=comparison_charts(groups), words=[]),
        render_section(
            "experiment",
            "The experiments",
            "again.html.j2",
            runs=[(run, reproduction(run)) for run in runs],
            fields=differing,
            rows=[
                (run.name, [str(values[name]) for name in differing])
                for run, values in zip(runs, fields, strict=True)
            ],
        ),
    ]
    return Page(f"Comparison of {len(runs)} runs", " · ".join(games), sections)


def _row(run: RecordedRun, group: str) -> list[str]:
    def last(key: str) -> str:
        latest = run.latest(key)
        return "-" if latest is None else shown(latest)

    error = run.latest("return_stderr")
    played = last("return_mean") + ("" if error is None else f" ± {shown(error)}")
    seconds = float(run.elapsed[1][-1]) if len(run.elapsed[1]) else 0.0
    best = "-" if run.optimum is None else shown(run.optimum)
    return [
        run.name, group, str(run.experiment.seed), str(run.rounds), last("value"), best,
        last("optimality_gap"), last("nash_gap"), played, duration(seconds),
    ]  # fmt: skip
