"""What is said of a run: nothing where it went well, and what to do where it did not."""

from typing import Any

import msgspec
import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import Line

from bnpg.verdict import certificate_label, notices


def record(*rows: tuple[float, float, float, float]) -> list[Line]:
    """Lines of every tenth round, of value, Nash gap, optimality gap and gradient norm."""
    return [
        Line(10 * n, value=value, nash_gap=nash, optimality_gap=gap, gradient_norm=norm)
        for n, (value, nash, gap, norm) in enumerate(rows)
    ]


START = (0.0, 5.0, 10.0, 1.0)
CASES: dict[str, tuple[list[Line], str]] = {
    "saturated": (
        record(START, (-3.0, 13.0, 13.0, 1e-9), (-3.0, 13.0, 13.0, 1e-12)),
        "saturated since round 10",
    ),
    "worse": (record(START, (-3.0, 13.0, 13.0, 1e-9), (-3.0, 13.0, 13.0, 1e-12)), "worse than it began"),
    "rising, seldom evaluated": (record(START, (4.0, 5.0, 6.0, 1.0)), "still rising"),
    "rising": (record(START, (2.0, 5.0, 8.0, 1.0), (4.0, 5.0, 6.0, 1.0)), "still rising"),
    "stuck": (record(START, (5.0, 0.0, 5.0, 0.1), (5.0, 0.0, 5.0, 0.1)), "hardly any agent can gain alone"),
    "stalled": (record(START, (5.0, 4.0, 5.0, 0.1), (5.0, 4.0, 5.0, 0.1)), "has stalled"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_result_is_said_to_be_one(case: str) -> None:
    lines, words = CASES[case]
    said = notices(Experiment(game="x", rounds=20, learning_rate=0.1), lines, unit=10.0)
    assert any(words in one for one in said)
    assert all("\n" not in one for one in said)


@pytest.mark.parametrize(
    "lines", [[], record(START), record(START, (9.9, 0.05, 0.1, 0.01)), [Line(0, return_mean=1.0)]]
)
def test_nothing_is_said_of_a_good_one_or_of_one_that_was_not_measured(lines: list[Line]) -> None:
    said = notices(Experiment(game="x", rounds=20), lines if lines != record(START) else [], unit=10.0)
    assert said == []


@pytest.mark.parametrize("constant", [0.0, -5.0, 1e10])
def test_a_constant_in_the_rewards_changes_no_word(constant: float) -> None:
    def said(gap: float) -> list[str]:
        lines = record(*((constant - gap, 0.0, gap, 0.1) for _ in range(3)))
        return notices(Experiment(game="x", rounds=20, learning_rate=0.1), lines, unit=10.0)

    assert said(0.1) == []
    assert "hardly any agent can gain alone" in said(5.0)[0]


def test_a_record_whose_beginning_is_lost_is_no_reason_to_fail() -> None:
    later = record(START)
    later[-1] = msgspec.structs.replace(later[-1], round=20)
    assert len(notices(Experiment(game="x", rounds=20, learning_rate=0.1), later[-1:], 10.0)) > 0


def test_of_the_complete_graph_no_more_edges_are_asked_for() -> None:
    lines, _ = CASES["stuck"]
    chosen: dict[str, Any] = {"game": "x", "rounds": 20}
    assert "edges" in notices(Experiment(**chosen), lines, 10.0)[0]
    assert "edges" not in notices(Experiment(dag="complete", **chosen), lines, 10.0)[0]


@pytest.mark.parametrize(("mode", "words"), [("sampled", "Another --seed"), ("exact", "--initial normal")])
def test_only_what_draws_other_numbers_is_advised(mode: str, words: str) -> None:
    lines, _ = CASES["stalled"]
    assert words in notices(Experiment(game="x", rounds=20, mode=mode), lines, 10.0)[0]


def test_a_bound_far_from_zero_is_no_good_news() -> None:
    assert certificate_label((0.1, 0.1), 10.0) == "Certificate"
    assert (
        certificate_label((0.1, 3.0), 10.0)
        == certificate_label((3.0, None), 10.0)
        == ("Certificate of a poor result (a gap of 30% of the range of returns)")
    )
    assert certificate_label((None, None), 10.0) == certificate_label((3.0, 3.0), 0.0) == "Certificate"
