"""Charts: everything lies where its number says, and what is thinned out keeps its extremes."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bnpg.report.chart import MOST_POINTS, Chart, Event, Level, Series
from bnpg.report.scale import SMALLEST, Scale, fit, shown

numbers = hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e9, 1e9))
gaps = hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(0, 1e9))


def chart(*series: Series, log: bool = False, **more: object) -> Chart:
    return Chart("one", "Title", "Caption.", "round", "value", series, log=log, **more)  # type: ignore[arg-type]


@given(numbers)
def test_all_numbers_lie_within_the_axis(values: np.ndarray) -> None:
    places = fit([values]).place(values)
    assert ((places >= 0) & (places <= 1)).all()


@given(gaps)
def test_all_gaps_lie_within_a_logarithmic_axis_zero_included(values: np.ndarray) -> None:
    places = fit([values], log=True).place(values)
    assert ((places >= -1e-9) & (places <= 1 + 1e-9)).all()


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.booleans(), st.integers(2, 12))
def test_ticks_lie_within_the_axis_and_ascend(low: float, size: float, log: bool, most: int) -> None:
    scale = Scale(abs(low) + 1e-9, abs(low) + 1e-9 + size + abs(low), True) if log else Scale(low, low + size)
    ticks = scale.ticks(most)
    assert ticks == sorted(ticks)
    assert all(-1e-6 <= float(scale.place(tick)) <= 1 + 1e-6 for tick in ticks)


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


def test_a_long_curve_is_thinned_but_keeps_its_peak() -> None:
    x = np.arange(50_000.0)
    y = np.zeros(50_000)
    y[31_234] = 7.0
    path = chart(Series("one", "value", x, y)).curves[0]["line"]
    heights = [float(point.split()[1]) for point in path.removeprefix("M").split("L")]
    assert len(heights) <= MOST_POINTS + 2
    # 7 lies below the upper edge by the room that the axis leaves.
    assert min(heights) == pytest.approx(400 * (0.06 / 1.12), abs=0.01)


def test_a_curve_its_band_and_its_dots_lie_where_the_numbers_say() -> None:
    x, y = np.array([0.0, 1.0, 4.0]), np.array([0.0, 10.0, 5.0])
    drawn = chart(Series("one", "value", x, y, y - 1, y + 1, dots=True))
    vertical = drawn.scales[1]

    def points(path: str) -> list[tuple[float, float]]:
        pairs = path.strip("MZ").replace("h0M", "L").removesuffix("h0").split("L")
        return [(float(a), float(b)) for a, b in (pair.split() for pair in pairs)]

    def place(values: np.ndarray) -> list[float]:
        return [400 * (1 - (value - vertical.low) / (vertical.high - vertical.low)) for value in values]

    (curve,) = drawn.curves
    expected = list(zip([0.0, 250.0, 1000.0], place(y), strict=True))
    for got in (points(curve["line"]), points(curve["dots"])):
        assert got == [pytest.approx(point, abs=0.06) for point in expected]
    band = points(curve["band"])
    assert [b for _, b in band[:3]] == pytest.approx(place(y + 1), abs=0.06)
    assert [b for _, b in band[3:]] == pytest.approx(place((y - 1)[::-1]), abs=0.06)


def test_the_cursor_tells_the_latest_value_at_every_point() -> None:
    often = Series("often", "value", np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    rarely = Series("rarely", "nash", np.array([1.0]), np.array([5.0]), np.array([4.0]), np.array([6.0]))
    told = json.loads(chart(often, rarely).readings)
    assert told["x"] == ["0", "1", "2"]
    assert [at and at[:2] for at in told["series"][1]["at"]] == [None, ["5", " ± 1"], ["5", " ± 1"]]


def test_an_interval_that_is_not_symmetric_is_told_by_its_ends() -> None:
    one = Series("one", "value", np.array([0.0]), np.array([5.0]), np.array([1.0]), np.array([6.0]))
    assert chart(one).table[1] == [["0", "5 (1 to 6)"]]


def test_an_interval_below_zero_does_not_set_a_logarithmic_axis() -> None:
    one = Series(
        "gap", "nash", np.array([0.0, 1.0]), np.array([1.0, 0.5]), np.array([-3.0, 0.1]), np.array([5.0, 0.9])
    )
    assert chart(one, log=True).scales[1].low >= 0.1
    assert chart(one, log=True).scales[1].low > SMALLEST


def test_labels_cannot_leave_their_script() -> None:
    one = Series("</script><b>", "value", np.array([0.0]), np.array([1.0]))
    assert "</script>" not in chart(one).readings
    assert json.loads(chart(one).readings)["series"][0]["label"] == "</script><b>"


def test_a_chart_can_be_heard() -> None:
    one = Series("value", "value", np.array([0.0, 9.0]), np.array([1.0, 4.0]))
    spoken = chart(one, levels=[Level("best", "best", 5.0)], events=[Event("a kill", "kill", 3.0)]).spoken
    assert spoken == "Title. value goes from 1 to 4; best is at 5."
