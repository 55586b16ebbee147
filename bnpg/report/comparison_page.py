"""The comparison of several runs as a page."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from bnpg.durations import duration
from bnpg.evaluation.over_seeds import SETTLING
from bnpg.report.by_score import score_charts, scored
from bnpg.report.comparison import (
    by_chance,
    by_game,
    differences,
    group_runs,
    same_results,
    spoken,
)
from bnpg.report.comparison_charts import comparison_charts
from bnpg.report.numbers import shown
from bnpg.report.page import Page, render_section
from bnpg.report.recorded_run import RecordedRun
from bnpg.report.reproduction import reproduction
from bnpg.report.whisker import whiskers

MOST_GAMES = 12
"""Games whose curves are drawn."""


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
        else "No run shares a game, a seed and a measure with the first group of its game: nothing to pair."
    )
    within = by_game(groups)
    charts = [
        (game, [replace(chart, name=f"{chart.name}-{k}") for chart in comparison_charts(members)])
        for k, (game, members) in enumerate(within[:MOST_GAMES])
    ]
    rest = len(within) - MOST_GAMES
    left_out = f"The curves of {rest} more games are not drawn; the tables hold all." if rest > 0 else ""
    results = scored(groups) if len(within) > 1 else []
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
            several=len(within) > 1,
            chance=by_chance(compared),
            settling=SETTLING,
            without=without,
            shown=shown,
            spoken=spoken,
            whisker=whiskers(compared),
        ),
        (
            render_section("curves", "Learning", "charts.html.j2", charts=comparison_charts(groups), words=[])
            if len(within) == 1
            else render_section(
                "curves", "Learning, game by game", "games.html.j2", games=charts, left_out=left_out
            )
        ),
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
    if results:
        scores = render_section(
            "scores",
            "Across games, by score",
            "scores.html.j2",
            results=results,
            charts=score_charts(results),
            shown=shown,
        )
        sections.insert(1, scores)
    return Page(f"Comparison of {len(runs)} runs", " · ".join(games), sections)


def _row(run: RecordedRun, group: str) -> list[str]:
    def last(key: str) -> str:
        latest = run.latest(key)
        return "-" if latest is None else shown(latest)

    mean, error = run.latest("return_mean"), run.latest("return_stderr")
    played = last("return_mean")
    if mean is not None and error is not None:
        played = f"{shown(mean, error)} ± {shown(error)}"
    seconds = float(run.elapsed[1][-1]) if len(run.elapsed[1]) else 0.0
    best = "-" if run.optimum is None else shown(run.optimum)
    return [
        run.name, group, str(run.experiment.seed), str(run.rounds), last("value"), best,
        last("optimality_gap"), last("nash_gap"), played, duration(seconds),
    ]  # fmt: skip
