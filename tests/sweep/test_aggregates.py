"""Statistics over seeds: what the interquartile mean is, and what its interval may be trusted for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bnpg.evaluation.over_seeds import (
    ALL_ALIKE,
    FEW,
    NO_GAIN,
    alike,
    interquartile_mean,
    interval,
    interval_in_words,
    mean_interval,
    profile,
    score,
)
from bnpg.sweeps.aggregates import ALL_GAMES, MEASURES, aggregate
from bnpg.sweeps.table import COLUMNS, Row

numbers = st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=24)


def row(value: float | None, **point: Any) -> Row:
    cells = dict.fromkeys(COLUMNS) | {"value": value, "score": value}
    return Row(point, cells)


def test_the_middle_half_counts() -> None:
    assert interquartile_mean(np.array([-1e9, 2.0, 4.0, 1e9])) == 3.0
    assert interquartile_mean(np.arange(8.0)) == 3.5


def test_the_order_of_the_runs_moves_no_bit() -> None:
    values = np.concatenate([np.full(5, -1e6), [1e-5, 0.0], np.full(5, 1e6)])
    orders = [np.random.default_rng(seed).permutation(values) for seed in range(50)]
    found = interquartile_mean(np.stack(orders)).tolist()
    assert found == interquartile_mean(np.stack(orders, axis=1), axis=0).tolist()
    assert set(found) == {float(interquartile_mean(values))}


@given(numbers)
def test_one_outlier_of_four_or_more_never_decides(values: list[float]) -> None:
    found = float(interquartile_mean(np.array(values)))
    assert min(values) - 1e-6 <= found <= max(values) + 1e-6
    spoilt = np.sort(values)
    spoilt[-1] += 1e9
    assert float(interquartile_mean(spoilt)) == pytest.approx(found)


@given(numbers)
def test_an_interval_holds_its_mean_and_is_the_same_every_time(values: list[float]) -> None:
    found = interval([np.array(values)])
    if found is None:
        assert alike(np.array(values))
        return
    low, high = found
    slack = 1e-6 * max(1.0, *map(abs, values))
    assert low - slack <= float(interquartile_mean(np.array(values))) <= high + slack
    if len(values) >= FEW:
        assert min(values) - slack <= low <= high <= max(values) + slack
    assert (low, high) == interval([np.array(values)])


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    samples = generator.normal(size=(150, 20))
    found = [ends for one in samples if (ends := interval([one])) is not None]
    assert len(found) == len(samples)
    covered = np.mean([low <= 0.0 <= high for low, high in found])
    # A percentile bootstrap over 20 runs covers a little less than 95 %.
    assert 0.85 <= covered <= 1.0


@pytest.mark.parametrize("sizes", [(2,), (3,), (5,), (7,), (2, 2), (3, 3, 3, 3)])
def test_intervals_of_few_runs_cover_the_truth_about_as_often_as_they_say(sizes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(5)
    samples = [[game + generator.normal(size=runs) for game, runs in enumerate(sizes)] for _ in range(250)]
    found = [ends for one in samples if (ends := interval(one)) is not None]
    assert len(found) == len(samples)
    truth = (len(sizes) - 1) / 2
    # 95 % within three standard errors of 250 trials; without Student's t it is between 50 and 88 %.
    assert np.mean([low <= truth <= high for low, high in found]) >= 0.91


@pytest.mark.parametrize("values", [[1.0, 2.5], [1.0, 2.5, 2.0]])
def test_the_interval_of_two_or_three_runs_is_students(values: list[float]) -> None:
    students = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    width = students.high - students.low
    assert interval([np.array(values)]) == pytest.approx((students.low, students.high), abs=0.03 * width)


def test_the_interval_of_a_mean_is_students() -> None:
    values = [1.0, 2.5, 2.0, 4.0]
    mean, low, high = mean_interval(values)
    students = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((2.375, students.low, students.high))
    assert interval_in_words(mean, low, high) == "2.375 [0.386, 4.364]"


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [3.0, 3.0 + 1e-15]])
def test_one_seed_or_several_that_are_alike_say_nothing_of_others(values: list[float]) -> None:
    found = mean_interval(values)
    assert np.isnan(found[1:]).all()
    assert interval_in_words(*found) == "3"


def test_strata_are_never_mixed() -> None:
    # Two games of two runs, all but constant within each game: drawing across them would spread the interval.
    found = interval([np.array([0.0, 1e-6]), np.array([10.0, 10.0])])
    assert found == pytest.approx((5.0, 5.0), abs=1e-5)


def test_runs_that_are_all_alike_are_no_interval_of_width_zero() -> None:
    assert interval([np.full(4, 6.866)]) is None
    assert interval([np.full(4, 0.1) + 1e-17, np.zeros(3)]) is None
    (value, *_) = aggregate([row(6.866, game="a", seed=seed) for seed in range(4)], ["game", "seed"])
    assert (value.iqm, value.low, value.high, value.reason) == (6.866, None, None, ALL_ALIKE)


@given(numbers, numbers)
def test_a_profile_falls_from_all_runs_to_none(values: list[float], levels: list[float]) -> None:
    ordered = np.sort(levels)
    shares = profile(np.array(values), ordered)
    assert (np.diff(shares) <= 0).all()
    for level, share in zip(ordered, shares, strict=True):
        assert share == pytest.approx(sum(value >= level for value in values) / len(values))


def test_configurations_are_told_apart_and_put_together_over_games() -> None:
    rows = [
        row(10.0 * game + dag + seed / 10, game=f"g{game}", dag=f"d{dag}", seed=seed)
        for game in range(2)
        for dag in range(2)
        for seed in range(4)
    ]
    found = aggregate(rows, ["game", "dag", "seed"])
    assert len(found) == 4 * len(MEASURES) + 2
    first = found[0]
    assert (first.configuration, first.measure, first.runs) == ({"game": "g0", "dag": "d0"}, "value", 4)
    assert first.iqm == pytest.approx(0.15)
    assert first.low is not None
    assert first.high is not None
    assert first.low <= 0.15 <= first.high
    together = found[-1]
    assert together.configuration == {"game": ALL_GAMES, "dag": "d1"}
    assert (together.measure, together.runs) == ("score", 8)
    assert together.mean == pytest.approx(6.15)


def test_what_is_not_known_has_a_reason() -> None:
    rows = [row(None, game="a", seed=0), row(1.0, game="b", seed=0)]
    by_name = {(one.configuration["game"], one.measure): one for one in aggregate(rows, ["game", "seed"])}
    unmeasured, single = by_name["a", "value"], by_name["b", "value"]
    assert (unmeasured.runs, unmeasured.iqm, unmeasured.reason) == (0, None, "no run measured it")
    assert (single.iqm, single.low) == (1.0, None)
    assert "two seeds" in single.reason


def test_where_nothing_can_be_gained_no_score_is_said_to_be_unmeasured() -> None:
    known = {"value": 9.0, "uniform_value": 9.0, "optimal_value": 9.0, "score": score(9.0, 9.0, 9.0)}
    rows = [Row({"game": "a", "seed": seed}, dict.fromkeys(COLUMNS) | known) for seed in range(2)]
    rows.append(Row({"game": "a", "seed": 2}, dict.fromkeys(COLUMNS)))
    by_name = {one.measure: one for one in aggregate(rows, ["game", "seed"])}
    assert (by_name["score"].runs, by_name["score"].reason) == (0, NO_GAIN)
    assert by_name["nash_gap"].reason == "no run measured it"


def test_values_that_may_differ_by_more_than_rounding_are_alike_to_12_digits_only() -> None:
    close = 1e9 + np.array([0.0, 1e-4, 3e-4, 5e-4])
    rows = [row(float(value), game="a", seed=seed) for seed, value in enumerate(close)]
    (found, *_) = aggregate(rows, ["game", "seed"])
    assert "the same, to 12 digits:" in found.reason
    assert interval([1e9 + 1e3 * (close - 1e9)]) is not None


def test_the_score_is_the_share_of_the_way_from_random_to_best() -> None:
    assert score(5.0, 1.0, 9.0) == 0.5
    assert score(1.0, 1.0, 9.0) == 0.0
    assert score(9.0, 1.0, 9.0) == 1.0
    assert score(9.0, 9.0, 9.0) is None
    assert score(None, 1.0, 9.0) is None
