"""What the seeds of every team came to: a table, with intervals."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from studies import Study
from training import Result

from bnpg.evaluation.over_seeds import interquartile_mean, interval, interval_in_words, mean_interval

HEAD = ("team", "seed", "dag", "greedy", "low", "high", "drawn", "digest")


def of_teams(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results by team, in the order in which teams come."""
    teams: dict[str, list[Result]] = {}
    for one in results:
        teams.setdefault(one.team, []).append(one)
    return teams


def table(study: Study, results: Sequence[Result]) -> str:
    """Return what every team earned in Markdown."""
    middle = "" if study.best is None else " at the best [95 %] |"
    rows = [
        f"| | greedy, mean [95 %] | interquartile mean [95 %] | drawn, mean [95 %] |{middle}",
        "|---|---|---|---|" + ("" if study.best is None else "---|"),
    ]
    for name, own in of_teams(results).items():
        greedy = np.array([one.greedy for one in own])
        ends = interval([greedy]) if len(own) > 1 else None
        cells = [
            name,
            interval_in_words(*mean_interval(greedy.tolist())),
            interval_in_words(float(interquartile_mean(greedy)), *(ends or (float("nan"),) * 2)),
            interval_in_words(*mean_interval([one.drawn for one in own])),
        ]
        if study.best is not None:
            # Where episodes differ, at the best is who cannot be told from it.
            cells.append(_share(sum(one.high >= study.best - 1e-9 for one in own), len(own)))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def write_csv(results: Sequence[Result], path: Path) -> None:
    """Write a line a team and seed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows([getattr(one, name) for name in HEAD] for one in results)


def _share(there: int, seeds: int) -> str:
    """Write how many seeds, and the interval of the share of all seeds, by Wilson's formula."""
    ends = binomtest(there, seeds).proportion_ci(0.95, "wilson")
    return f"{there} of {seeds} [{100 * ends.low:.0f} %, {100 * ends.high:.0f} %]"
