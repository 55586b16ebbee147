"""Charts: the page gets every number, and what is thinned out keeps its extremes."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bnpg.report.chart import MOST_POINTS, Chart, Level, Mark, Series
from bnpg.report.numbers import shown


def chart(*series: Series, log: bool = False, **more: object) -> Chart:
    return Chart("one", "Title", "Caption.", "round", "value", series, log=log, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (43.104, "43.1"),
        (12345.6, "12346"),
        (1e-7, "10⁻⁷"),
        (-2.5e-9, "-2.5·10⁻⁹"),
        (float("inf"), "∞"),
        (1e6, "10⁶"),
    ],
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [
        (1e9 + 0.12, 0.01, "1000000000.120"),
        (52.5204, 0.0987, "52.52"),
        (52.5204, 1e-3, "52.5204"),
        (1e-7, 1e-9, "10⁻⁷"),
        (1.23456e-7, 1e-11, "1.23456·10⁻⁷"),
        (1e200, 1e195, "10²⁰⁰"),
        (1.234567e200, 1e195, "1.234567·10²⁰⁰"),
        (1.0, 1e-300, "1.0000000000000000"),
        (0.0, 1e-9, "0"),
        (5.0, float("inf"), "5"),
    ],
)
def test_a_number_has_the_digits_that_show_what_it_is_told_beside(
    value: float, beside: float, text: str
) -> None:
    assert shown(value, beside) == text


def test_an_error_below_the_rounding_of_its_mean_is_not_told_as_none() -> None:
    mean, error = np.array([1e9]), np.array([1e-9])
    one = Series("one", "value", np.zeros(1), mean, mean - error, mean + error, error=error)
    assert chart(one).table[1] == [["0", "1000000000.0000000 ± 10⁻⁹"]]
    assert json.loads(chart(one).document)["series"][0]["error"] == [1e-9]


def test_values_that_differ_far_from_0_are_told_apart() -> None:
    one = chart(Series("one", "value", np.arange(2.0), np.array([1e9, 1e9 + 0.5])))
    assert one.table[1] == [["0", "1000000000.0000"], ["1", "1000000000.5000"]]
    assert "from 1000000000.0000 to 1000000000.5000" in one.spoken


def test_the_ends_of_an_interval_far_from_0_are_told_apart() -> None:
    one = Series("one", "value", np.zeros(1), np.array([1e9]), np.array([1e9 - 1]), np.array([1e9 + 2]))
    assert chart(one).table[1] == [["0", "1000000000.0 (999999999.0 to 1000000002.0)"]]


def test_a_long_curve_is_thinned_but_keeps_its_peak() -> None:
    x = np.arange(50_000.0)
    y = np.zeros(50_000)
    y[31_234] = 7.0
    (curve,) = json.loads(chart(Series("one", "value", x, y)).document)["series"]
    assert len(curve["x"]) == len(curve["y"]) <= MOST_POINTS + 2
    assert curve["x"][curve["y"].index(7.0)] == 31_234.0


@given(hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(width=64)))
def test_every_number_reaches_the_page_to_the_last_bit_and_what_is_not_finite_is_left_out(
    values: np.ndarray,
) -> None:
    x = np.arange(float(len(values)))
    drawn = chart(Series("one", "value", x, values, values, values), levels=[Level("best", "best", np.inf)])
    document = json.loads(drawn.document)
    expected = [value if np.isfinite(value) else None for value in values.tolist()]
    for name in ("y", "low", "high"):
        assert document["series"][0][name] == expected
    assert document["series"][0]["x"] == x.tolist()
    assert document["levels"] == []


def test_an_interval_that_is_not_symmetric_is_told_by_its_ends() -> None:
    one = Series("one", "value", np.array([0.0]), np.array([5.0]), np.array([1.0]), np.array([6.0]))
    assert chart(one).table[1] == [["0", "5 (1 to 6)"]]


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_whether_an_interval_is_symmetric_does_not_depend_on_the_unit(unit: float) -> None:
    middle = np.array([5.0]) * unit
    skew = Series("one", "value", np.array([0.0]), middle, middle - 4 * unit, middle + unit)
    assert "±" not in chart(skew).table[1][0][1]
    even = Series("one", "value", np.array([0.0]), middle, middle - 0.1 * unit, middle + 0.1 * unit)
    assert "±" in chart(even).table[1][0][1]
    far = np.array([5e6]) * unit
    assert (
        "±"
        in chart(Series("one", "value", np.zeros(1), far, far - 0.1 * unit, far + 0.1 * unit)).table[1][0][1]
    )


def test_labels_cannot_leave_their_script() -> None:
    one = Series("</script><b>", "value", np.array([0.0]), np.array([1.0]))
    assert "</script>" not in chart(one).document
    assert json.loads(chart(one).document)["series"][0]["label"] == "</script><b>"


def test_a_chart_can_be_heard() -> None:
    one = Series("value", "value", np.array([0.0, 9.0]), np.array([1.0, 4.0]))
    spoken = chart(one, levels=[Level("best", "best", 5.0)], events=[Mark("a kill", "kill", 3.0)]).spoken
    assert spoken == "Title. value goes from 1 to 4; best is at 5."


def test_what_is_below_the_floor_is_told_as_it_is_and_only_drawn_there() -> None:
    one = Series("one", "value", np.arange(3.0), np.array([1e-14, 0.0, 3e-20]))
    drawn = chart(one, log=True, floor=1e-15)
    document = json.loads(drawn.document)
    assert (document["floor"], document["series"][0]["y"]) == (1e-15, [1e-14, 0.0, 3e-20])
    assert drawn.table[1] == [["0", "10⁻¹⁴"], ["1", "0"], ["2", "3·10⁻²⁰"]]
    assert "one goes from 10⁻¹⁴ to 3·10⁻²⁰" in drawn.spoken


@pytest.mark.parametrize(
    ("values", "floor", "least"),
    [
        ([1e-20, 0.0, 1e-19], None, 1e-20),
        ([0.0, 0.0], None, 1.0),
        ([np.nan, np.inf, 2.0], None, 2.0),
        ([1e-20], 0.0, 1e-20),
        ([1e-20], 1e3, 1e3),
    ],
)
def test_without_a_floor_the_least_positive_value_is_that(
    values: list[float], floor: float | None, least: float
) -> None:
    one = Series("one", "value", np.arange(float(len(values))), np.array(values))
    assert chart(one, log=True, floor=floor).least == least
    assert chart(one, floor=floor).least is None
