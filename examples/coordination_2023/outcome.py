"""What came of the seeds of one team: mean and 95 % interval at every measured round."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t

from bnpg_math.arrays import FloatArray

HEAD = (
    "agents",
    "dag",
    "round",
    "fraction",
    "fraction_low",
    "fraction_high",
    "nash_gap",
    "nash_low",
    "nash_high",
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """One team's course: ``table`` ``[K, 7]`` holds the columns of `HEAD` from ``round`` on."""

    agents: int
    dag: str
    table: FloatArray


def summarise(agents: int, dag: str, courses: list[FloatArray]) -> Outcome:
    """Average the courses of all seeds; the interval is Student's, for the mean."""
    stacked = np.stack(courses)
    seeds = len(courses)
    mean = stacked.mean(axis=0)
    half = t.ppf(0.975, seeds - 1) * stacked.std(axis=0, ddof=1) / np.sqrt(seeds) if seeds > 1 else 0.0 * mean
    columns = [mean[:, 0]]
    for quantity in (1, 2):
        middle, width = mean[:, quantity], half[:, quantity]
        columns += [middle, middle - width, middle + width]
    return Outcome(agents, dag, np.stack(columns, axis=1))


def write_csv(outcomes: list[Outcome], path: Path) -> None:
    """Write every team's course into one table."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        for outcome in outcomes:
            for row in outcome.table:
                writer.writerow(
                    (outcome.agents, outcome.dag, int(row[0]), *(f"{number:.6g}" for number in row[1:]))
                )


def read_csv(path: Path) -> list[Outcome]:
    """Read what `write_csv` wrote."""
    teams: dict[tuple[int, str], list[list[float]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            numbers = [float(row[name]) for name in HEAD[2:]]
            teams.setdefault((int(row["agents"]), row["dag"]), []).append(numbers)
    return [Outcome(agents, dag, np.array(rows)) for (agents, dag), rows in teams.items()]
