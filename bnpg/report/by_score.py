"""Several games side by side, by the share of what could be gained: 0 for acting at random, 1 for V*."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bnpg.evaluation.over_seeds import ALL_ALIKE, interquartile_mean, interval, profile, score, uniform_value
from bnpg.report.chart import Chart, Level, Series
from bnpg.report.comparison import LOOKS, Group
from bnpg.report.comparison_charts import aligned, quartiles
from bnpg.report.recorded_run import RecordedRun
from bnpg_math.arrays import FloatArray
from bnpg_math.games.game import Game

_LEVELS = 201


@dataclass(frozen=True)
class Scored:
    """A configuration over all games that it was run on.

    Parameters
    ----------
    label, style : str
    games : int
    scores : sequence of (K_j,) float
        Of its runs, a sample a game.
    curves : list of (rounds, scores)
        Round by round, of every run.
    """

    label: str
    style: str
    games: int
    scores: Sequence[FloatArray]
    curves: list[list[FloatArray]]

    @property
    def runs(self) -> int:
        """How many runs have a score."""
        return sum(len(sample) for sample in self.scores)

    @property
    def middle(self) -> float:
        """Interquartile mean of the scores."""
        return float(interquartile_mean(np.concatenate(self.scores)))

    @property
    def ends(self) -> tuple[tuple[float, float] | None, str]:
        """Its interval at about 95 %, and why there is none."""
        if min(len(sample) for sample in self.scores) < 2:
            return None, "an interval needs two seeds of every game"
        found = interval(self.scores)
        return found, "" if found else ALL_ALIKE


def scored(groups: Sequence[Group]) -> list[Scored]:
    """Put the groups of one configuration together over the games; those without any score are left out."""
    together: dict[str, list[Group]] = {}
    for group in groups:
        together.setdefault(group.configuration, []).append(group)
    results: list[Scored] = []
    for label, members in together.items():
        curves = [[_curve(run) for run in group.runs] for group in members]
        known = [[curve for curve in curves_ if len(curve[0])] for curves_ in curves]
        samples = [np.array([curve[1][-1] for curve in curves_]) for curves_ in known if curves_]
        if samples:
            style = f"group-{len(results) % LOOKS}"
            flat = [curve for curves_ in known for curve in curves_]
            results.append(Scored(label, style, len(samples), samples, flat))
    return results


def score_charts(results: Sequence[Scored]) -> list[Chart]:
    """Return the scores round by round, and the profile of the last ones."""
    series = []
    for result in results:
        rounds, stacked = aligned(result.curves)
        if len(rounds):
            low, middle, high = quartiles(stacked)
            ends = (low, high) if len(stacked) > 1 else (None, None)
            series.append(Series(result.label, result.style, rounds, middle, *ends))
    over_rounds = Chart(
        "score", "Score", "Medians over all games and seeds; a band holds the middle half of the runs.",
        "round", "score", series, [Level("best joint policy", "best", 1.0)],
    )  # fmt: skip
    least = min([0.0, *(float(sample.min()) for result in results for sample in result.scores)])
    levels = np.linspace(least, 1.0, _LEVELS)
    profiles = [
        Series(result.label, result.style, levels, profile(np.concatenate(result.scores), levels))
        for result in results
    ]
    shares = Chart(
        "profile", "Score profiles",
        "Which share of the runs ended with at least this score: a curve above another is better throughout; "
        "curves that cross are better in some runs and worse in others.",
        "score", "share of the runs", profiles,
    )  # fmt: skip
    return [chart for chart in (over_rounds, shares) if chart.series]


def _curve(run: RecordedRun) -> list[FloatArray]:
    """Return rounds and scores of the evaluated rounds; empty where nothing is to be gained, or known."""
    rounds, values = run.column("value")
    best = run.optimum
    if run.run.simulator is not None or best is None:
        return [rounds[:0], values[:0]]
    uniform = _uniform(run.game)
    scores = [score(float(value), uniform, best) for value in values]
    known = [score for score in scores if score is not None]
    return [rounds[: len(known)], np.array(known)]


@lru_cache(maxsize=32)
def _uniform(game: Game) -> float:
    return uniform_value(game)
