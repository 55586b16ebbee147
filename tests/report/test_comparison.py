"""Comparing runs: pairs by seed, intervals by Student's t, and no certainty that is not there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bnpg.report.comparison import comparison_charts, differences, group_runs, interval, same_results, spoken
from bnpg.report.recorded_run import RecordedRun, read_run


@pytest.fixture(scope="module")
def teams(two_teams: list[Path]) -> list[RecordedRun]:
    return [read_run(folder) for folder in two_teams]


def test_runs_that_differ_in_their_seed_alone_form_a_group(teams: list[RecordedRun]) -> None:
    groups = group_runs(teams)
    assert [(group.label, len(group.runs)) for group in groups] == [("dag empty", 3), ("dag complete", 3)]


def test_a_difference_is_the_mean_over_pairs_of_one_seed(teams: list[RecordedRun]) -> None:
    shuffled = [teams[k] for k in (2, 0, 1, 4, 5, 3)]
    found = {one.measure: one for one in differences(group_runs(shuffled))}["exact value"]
    final = {(run.experiment.dag, run.experiment.seed): run.latest("value") for run in teams}  # type: ignore[index]
    mine = np.array([final["complete", seed] for seed in range(3)])
    theirs = np.array([final["empty", seed] for seed in range(3)])
    expected = stats.ttest_rel(mine, theirs).confidence_interval(0.95)
    assert found.pairs == 3
    assert found.mean == pytest.approx((mine - theirs).mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


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


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_an_interval_is_that_of_a_t_test(values: list[float]) -> None:
    given_ = np.array(values)
    low, high = interval(given_)
    if np.ptp(given_) > 1e-6:
        expected = stats.ttest_1samp(given_, 0.0).confidence_interval(0.95)
        assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)
    assert low <= given_.mean() <= high
