"""Comparing runs: pairs by seed within a game, scores across games, and no certainty that is not there."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from bnpg_coordinator.automatic import returns_range
from bnpg_coordinator.line import Line, number

from bnpg.__main__ import main
from bnpg.evaluation.over_seeds import (
    CONFIDENCE,
    SETTLING,
    interquartile_mean,
    interval,
    mean_interval,
    score,
    uniform_value,
)
from bnpg.report.by_score import score_charts, scored
from bnpg.report.comparison import Difference, by_chance, differences, group_runs, same_results, spoken
from bnpg.report.comparison_charts import comparison_charts
from bnpg.report.comparison_page import comparison_report
from bnpg.report.page import render_page
from bnpg.report.recorded_run import RecordedRun, read_run
from bnpg.report.whisker import whiskers


def train(folder: Path, *options: object) -> Path:
    words = ["train", *options, "--launcher", "memory", "--no-fsync", "--quiet", "--json", "--out", folder]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture(scope="module")
def teams(two_teams: list[Path]) -> list[RecordedRun]:
    return [read_run(folder) for folder in two_teams]


def test_runs_that_differ_in_their_seed_alone_form_a_group(teams: list[RecordedRun]) -> None:
    groups = group_runs(teams)
    assert [(group.label, len(group.runs)) for group in groups] == [("dag empty", 3), ("dag complete", 3)]


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_one_optimum_is_drawn_where_it_is_one_in_whatever_unit(teams: list[RecordedRun], unit: float) -> None:
    def levels(*optima: float) -> int:
        runs = [
            replace(run, lines=[Line(0, value=0.0, optimality_gap=best * unit, nash_gap=0.0)])
            for run, best in zip(teams, optima * 6, strict=False)
        ]
        [drawn] = [one for one in comparison_charts(group_runs(runs)) if one.name == "compare-value"]
        return len(drawn.levels)

    assert levels(3.0) == 1
    assert levels(3.0, 3.0 * (1 + 1e-15)) == 1
    assert levels(3.0, 4.0) == 0


def test_gaps_below_all_that_is_drawn_are_told_as_they_are(teams: list[RecordedRun]) -> None:
    runs = [replace(run, lines=[Line(0, value=1.0, optimality_gap=0.0, nash_gap=1e-20)]) for run in teams]
    drawn = {chart.name: chart for chart in comparison_charts(group_runs(runs))}
    assert drawn["compare-nash_gap"].least == pytest.approx(1e-12 * returns_range(teams[0].game))
    assert "from 10⁻²⁰ to 10⁻²⁰" in drawn["compare-nash_gap"].spoken
    assert "from 0 to 0" in drawn["compare-optimality_gap"].spoken


@pytest.mark.parametrize("unit", [5e-324, 1.0, 1.7e308])
def test_a_difference_is_drawn_within_its_frame_in_any_unit(unit: float) -> None:
    result = Difference("g", "a", "b", "exact value", 8, unit, -unit, unit, "8 seeds")
    drawn = whiskers([result])(result)
    assert re.findall(r'[xc]x?[12]?="([0-9.]+)"', drawn)[:5] == ["72.0", "72.0", "6.0", "138.0", "138.0"]


def test_what_auto_stands_for_in_each_game_names_no_configuration(tmp_path: Path) -> None:
    runs = [
        read_run(train(tmp_path / f"{game}-{dag}", game, "--mode", "exact", "--rounds", "2", "--dag", dag))
        for game in ("climbing", "penalty")
        for dag in ("empty", "0-1")
    ]
    rates = {run.experiment.learning_rate for run in runs}
    assert len(rates) == 2
    groups = group_runs(runs)
    assert [group.configuration for group in groups] == ["dag empty", "dag 0-1"] * 2
    assert groups[0].label == "game climbing, dag empty"
    assert [(one.label, one.games) for one in scored(groups)] == [("dag empty", 2), ("dag 0-1", 2)]


def test_what_varies_within_a_game_is_named_even_if_auto_stands_for_it(tmp_path: Path) -> None:
    runs = [
        read_run(train(tmp_path / f"{game}-{rate}", game, "--rounds", "1", "--lanes", "4", *rate))
        for game in ("climbing", "penalty")
        for rate in ((), ("--learning-rate", "0.5"))
    ]
    named = [group.configuration for group in group_runs(runs)]
    assert len(set(named)) == 2
    assert all("learning-rate" in name for name in named)


def test_a_difference_is_the_interquartile_mean_over_pairs_of_one_seed(teams: list[RecordedRun]) -> None:
    shuffled = [teams[k] for k in (2, 0, 1, 4, 5, 3)]
    found = {one.measure: one for one in differences(group_runs(shuffled))}["exact value"]
    final = {(run.experiment.dag, run.experiment.seed): run.latest("value") for run in teams}
    mine = np.array([final["complete", seed] for seed in range(3)], dtype=float)
    theirs = np.array([final["empty", seed] for seed in range(3)], dtype=float)
    assert found.pairs == 3
    assert found.middle == pytest.approx(float(interquartile_mean(mine - theirs)))
    assert (found.low, found.high) == interval([mine - theirs])


def test_runs_that_are_all_alike_have_no_interval(teams: list[RecordedRun]) -> None:
    def shifted(seed: int, by: float) -> RecordedRun:
        run = teams[0]
        experiment = msgspec.structs.replace(run.experiment, seed=seed, dag="empty" if by == 0 else "0-1")
        lines = [Line(line.round).holding(value=(number(line.value) or 0.0) + by) for line in run.lines]
        return replace(run, experiment=experiment, lines=lines)

    runs = [shifted(seed, by) for by in (0.0, 1.0) for seed in range(4)]
    (found,) = differences(group_runs(runs))
    assert found.middle == pytest.approx(1.0)
    assert (found.low, found.high) == (None, None)
    assert found.how == "4 seeds, all alike to 12 digits: no interval"
    assert not found.sure


@pytest.fixture(scope="module")
def games(runs: Path) -> list[RecordedRun]:
    """Two games, two graphs, two seeds."""
    options = ("--mode", "exact", "--rounds", 20, "--learning-rate", 0.5, "--initial", "normal")
    return [
        read_run(train(runs / f"two-{game}-{dag}-{seed}", game, *options, "--dag", dag, "--seed", seed))
        for game in ("climbing", "penalty")
        for dag in ("empty", "line")
        for seed in range(2)
    ]


def test_values_are_compared_within_a_game_only(games: list[RecordedRun]) -> None:
    found = differences(group_runs(games))
    assert {(one.game, one.group, one.reference) for one in found} == {
        ("climbing", "dag line", "dag empty"),
        ("penalty", "dag line", "dag empty"),
    }
    page = render_page(comparison_report(games))
    for chart in ("compare-value-0", "compare-value-1", "score", "profile"):
        assert f'id="chart-{chart}"' in page
    climbing, penalty = (page.index(f'<h3 class="game">{game}') for game in ("climbing", "penalty"))
    assert climbing < page.index("chart-compare-value-0") < penalty < page.index("chart-compare-value-1")
    # Two seeds: a difference of one sign is as likely as not without any effect.
    assert all(one.low is not None and not one.sure for one in found)
    assert all("fewer than 6 seeds settle no sign" in spoken(one) for one in found)
    assert by_chance(found) == ""


def few(pairs: int) -> Difference:
    return Difference("game", "one", "other", "value", pairs, 1.5, 1.0, 2.0, "bootstrap")


@pytest.mark.parametrize("places", [-1060, -600, 520, 1000])
@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, 5.0], [1.0, 2.0], list(range(10))])
def test_intervals_over_seeds_and_scores_are_the_same_in_any_unit(values: list[float], places: int) -> None:
    plain, scaled = np.array(values), np.ldexp(np.array(values), places)
    near = 1e-2 if places < -1000 else 1e-12
    assert np.ldexp(interval([scaled]), -places) == pytest.approx(interval([plain]), rel=near)
    assert np.ldexp(mean_interval(list(scaled)), -places) == pytest.approx(mean_interval(values), rel=near)
    unit = 2.0**places
    assert score(3.0 * unit, 2.0 * unit, 4.0 * unit) == 0.5


def test_differences_that_are_rounding_have_no_interval(teams: list[RecordedRun]) -> None:
    def near(seed: int, dag: str) -> RecordedRun:
        run, off = teams[0], (1.0 + (seed % 3) * 1e-15) if dag == "0-1" else 1.0
        experiment = msgspec.structs.replace(run.experiment, seed=seed, dag=dag)
        lines = [Line(line.round).holding(value=0.3 * off) for line in run.lines]
        return replace(run, experiment=experiment, lines=lines)

    (found,) = differences(group_runs([near(seed, dag) for dag in ("empty", "0-1") for seed in range(1, 9)]))
    assert found.how == "8 seeds, all alike to 12 digits: no interval"
    assert not found.sure


@pytest.mark.parametrize("errors", [(0.0, 0.1), (0.1, 0.1)])
def test_one_common_seed_settles_no_sign(teams: list[RecordedRun], errors: tuple[float, float]) -> None:
    def one(dag: str, mean: float, error: float) -> RecordedRun:
        experiment = msgspec.structs.replace(teams[0].experiment, dag=dag)
        return replace(
            teams[0],
            experiment=experiment,
            lines=[Line(0).holding(return_mean=mean, return_stderr=error)],
        )

    (found,) = differences(group_runs([one("empty", 1.0, errors[0]), one("0-1", 3.0, errors[1])]))
    assert not found.sure
    if 0.0 in errors:
        assert (found.low, found.how) == (None, "one common seed, and lanes that are all alike: no interval")
    else:
        assert found.low is not None
        assert "settle no sign" in spoken(found)


def test_a_handful_of_seeds_settles_no_sign_and_is_not_counted_as_if_it_could() -> None:
    assert [few(pairs).sure for pairs in (2, 5, 6, 20)] == [False, False, True, True]
    # All of K signs agree without any effect with chance 2^(1-K).
    assert 2.0 ** (1 - SETTLING) <= 1 - CONFIDENCE < 2.0 ** (2 - SETTLING)
    assert by_chance([few(2), few(5), few(6)]) == ""
    assert by_chance([few(2), few(6), few(6)]).startswith("2 of these intervals can settle a sign")
    assert "about 0.1 of them" in by_chance([few(2), few(6), few(6)])
    assert "settle no sign" not in spoken(few(6))


def test_across_games_scores_are_put_together(games: list[RecordedRun]) -> None:
    empty, line = scored(group_runs(games))
    assert (empty.label, line.label) == ("dag empty", "dag line")
    for one in (empty, line):
        assert (one.games, one.runs) == (2, 4)
        ends, why = one.ends
        assert ends is not None
        assert why == ""
        assert ends[0] <= one.middle <= ends[1]
    for run in games[:2]:
        expected = score(run.latest("value"), uniform_value(run.game), run.optimum)
        assert any(expected == pytest.approx(value) for value in empty.scores[0])
    curves, profiles = score_charts([empty, line])
    assert {curve.label for curve in curves.series} == {"dag empty", "dag line"}
    for curve in profiles.series:
        assert curve.y[0] == 1.0
        assert (np.diff(curve.y) <= 0).all()


def test_many_commands_are_one_block(games: list[RecordedRun]) -> None:
    page = render_page(comparison_report(games))
    assert page.count('aria-label="Commands of all runs"') == 1
    assert page.count("Command for") == 0


def test_seeds_that_only_one_group_has_are_left_out(teams: list[RecordedRun]) -> None:
    found = differences(group_runs([teams[0], teams[1], teams[4], teams[5]]))
    assert {one.pairs for one in found} == {1}
    assert all(one.low is None and "no interval" in one.how for one in found)
    assert all("95 %" not in spoken(one) for one in found)


def test_without_a_common_seed_nothing_is_paired(teams: list[RecordedRun]) -> None:
    assert differences(group_runs([teams[0], teams[5]])) == []


def test_the_same_experiment_is_recognised_and_its_bits_compared(exact_run: Path, sampled_run: Path) -> None:
    one, other = read_run(exact_run), read_run(sampled_run)
    assert same_results([one, other]) == []
    assert same_results([one, one]) == [([one.name, one.name], True)]
    assert one.summary is not None
    changed = replace(one, summary=one.summary | {"policy_digest": "another"})
    assert same_results([one, changed]) == [([one.name, one.name], False)]


def test_the_curves_of_the_difference_begin_where_both_have_rounds(teams: list[RecordedRun]) -> None:
    charts = {chart.name: chart for chart in comparison_charts(group_runs(teams))}
    assert set(charts) == {
        "compare-value",
        "compare-optimality_gap",
        "compare-nash_gap",
        "compare-difference",
    }
    (curve,) = charts["compare-difference"].series
    first = [run.column("value")[1][0] for run in teams]
    assert curve.y[0] == pytest.approx(np.median(np.array(first[3:]) - np.array(first[:3])))
    assert curve.low is not None
    assert curve.high is not None
    assert (curve.low <= curve.y).all()
    assert (curve.y <= curve.high).all()


def test_a_band_of_what_is_positive_is_positive(teams: list[RecordedRun]) -> None:
    charts = {chart.name: chart for chart in comparison_charts(group_runs(teams))}
    for curve in charts["compare-nash_gap"].series:
        assert curve.low is not None
        assert (curve.low > 0).all()
