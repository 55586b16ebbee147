"""What a configuration came to over its seeds, as rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bnpg.evaluation.over_seeds import ALL_ALIKE, NO_GAIN, interquartile_mean, interval
from bnpg.sweeps.table import Row

MEASURES = ("value", "optimality_gap", "nash_gap", "score", "return_mean")
"""What is aggregated over the seeds of a configuration."""
ALL_GAMES = "all games"
_OF_A_SCORE = ("value", "uniform_value", "optimal_value")
"""What a score is made of: where all of it is known, only nothing to gain leaves none."""


@dataclass(frozen=True)
class Aggregate:
    """One measure of one configuration over its seeds.

    Parameters
    ----------
    configuration : dict
        The fields that tell it from the others; without the seed, and `game` is `all games` where several
        games are put together.
    measure : str
        One of `MEASURES`.
    runs : int
        How many runs that measured it.
    mean, iqm : float or None
        None if no run measured it, or a score has no meaning there.
    low, high : float or None
        Interval of the interquartile mean at about 95 %.
    reason : str
        Why a number is missing; empty if none is.
    """

    configuration: dict[str, Any]
    measure: str
    runs: int
    mean: float | None
    iqm: float | None
    low: float | None
    high: float | None
    reason: str


def aggregate(rows: Sequence[Row], axes: Sequence[str]) -> list[Aggregate]:
    """Aggregate over seeds, and over games too where there are several.

    Parameters
    ----------
    rows : sequence of Row
        The runs.
    axes : sequence of str
        The fields of the grid.

    Returns
    -------
    list of Aggregate
        First every configuration by itself, in the order of the grid, with all measures; then the normalised
        score of every configuration over all games.
    """
    names = [axis for axis in axes if axis != "seed"]
    found = []
    for configuration, members in _grouped(rows, names):
        found += [_aggregate(configuration, measure, [members]) for measure in MEASURES]
    if "game" in names and len({row.point["game"] for row in rows}) > 1:
        for configuration, members in _grouped(rows, [name for name in names if name != "game"]):
            found.append(_over_games({"game": ALL_GAMES} | configuration, _grouped(members, ["game"])))
    return found


def _over_games(
    configuration: dict[str, Any], games: Sequence[tuple[dict[str, Any], list[Row]]]
) -> Aggregate:
    """Aggregate the scores of games; those without any, simulators above all, are left out and named."""
    scored = [rows for _, rows in games if any(row.cells["score"] is not None for row in rows)]
    without = [str(point["game"]) for point, rows in games if rows not in scored]
    found = _aggregate(configuration, "score", scored or [rows for _, rows in games])
    if not without or not found.runs:
        return found
    left_out = f"without {', '.join(without)}, where no score is known"
    return replace(found, reason="; ".join(part for part in (found.reason, left_out) if part))


def _grouped(rows: Sequence[Row], names: Sequence[str]) -> list[tuple[dict[str, Any], list[Row]]]:
    groups: dict[str, tuple[dict[str, Any], list[Row]]] = {}
    for row in rows:
        configuration = {name: row.point[name] for name in names}
        groups.setdefault(repr(configuration), (configuration, []))[1].append(row)
    return list(groups.values())


def _aggregate(configuration: dict[str, Any], measure: str, strata: Sequence[Sequence[Row]]) -> Aggregate:
    samples = [
        np.array([row.cells[measure] for row in rows if row.cells[measure] is not None], dtype=np.float64)
        for rows in strata
    ]
    values = np.concatenate(samples)
    if not len(values):
        known = [[row.cells[name] for name in _OF_A_SCORE] for rows in strata for row in rows]
        without_score = measure == "score" and any(None not in cells for cells in known)
        reason = NO_GAIN if without_score else "no run measured it"
        return Aggregate(configuration, measure, 0, None, None, None, None, reason)
    mean, iqm = float(values.mean()), float(interquartile_mean(values))
    if min(len(sample) for sample in samples) < 2:
        reason = "an interval needs at least two seeds" + " of every game" * (len(strata) > 1)
        return Aggregate(configuration, measure, len(values), mean, iqm, None, None, reason)
    low, high = interval(samples) or (None, None)
    reason = ALL_ALIKE if low is None else ""
    return Aggregate(configuration, measure, len(values), mean, iqm, low, high, reason)
