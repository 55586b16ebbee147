"""What is seen of a run: lines at most once a second, a screen on a terminal, nothing when quiet."""

import io
import json
import re
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from bnpg_coordinator.line import Line
from hypothesis import given
from hypothesis import strategies as st

from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.settings import LaunchSettings
from bnpg.live.lines import Lines
from bnpg.live.numbers import decimals, in_words, sparkline, with_ends, with_error
from bnpg.live.observation import ObservedRun
from bnpg.live.screen import Screen
from bnpg.live.watching import watching
from bnpg.run_creation import create_run_folder
from bnpg.run_folder import RunFolder
from bnpg_math.dag import Dag


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.991, "10.9910"),
        (0.0, "0.0000"),
        (0.01, "0.0100"),
        (-3e-7, "-3e-07"),
        (0.000123456, "0.0001235"),
        (1e9 + 0.12, "1000000000.1200"),
        (1e300, "1e+300"),
    ],
)
def test_a_small_value_is_not_written_as_zero(value: float, text: str) -> None:
    assert decimals(value) == text


@pytest.mark.parametrize(("value", "told"), [(9.9999, "99.9 %"), (10.0, "100.0 %"), (4.65, "46.5 %")])
def test_what_is_not_all_of_the_best_is_not_told_as_all(value: float, told: str) -> None:
    [(_, _, words)] = in_words(Line(3, value=value), 10.0)
    assert words.endswith(f"of 10.0000 ({told})")


@pytest.mark.parametrize(
    ("mean", "error", "told"),
    [
        (52.52, 0.0987, "52.520 ± 0.099"),
        (0.001, 0.5, "0.001 ± 0.500"),
        (-3.0, 0.0, "-3.000 ± 0.000"),
        (5.0, None, "5.000"),
        (1e-5, 3e-6, "1.00e-05 ± 3.0e-06"),
        (0.5, 1e-5, "0.500000 ± 0.000010"),
        (1e9 + 0.12, 0.01, "1.000000000120e+09 ± 1.0e-02"),
        (0.5, 1e-300, "0.50000000000000000 ± 1.0e-300"),
        (1e160, 3e159, "1.00e+160 ± 3.0e+159"),
        (1e160, 0.0, "1.000e+160 ± 0"),
        (1e160, None, "1e+160"),
    ],
)
def test_a_mean_has_the_digits_that_its_error_asks_for(mean: float, error: float | None, told: str) -> None:
    assert with_error(mean, error) == told


def test_an_interval_far_from_0_is_not_told_as_a_point() -> None:
    told = with_ends(1e9, 1e9 - 1e-5, 1e9 + 1e-5)
    assert told == "1.000000000000000e+09 (0.999999999999989e+09 to 1.000000000000011e+09)"


@given(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3))
def test_an_interval_in_words_leaves_out_nothing_of_it(ends: tuple[float, float, float]) -> None:
    low, mean, high = sorted(ends)
    told = with_ends(mean, low, high)
    _, least, most = re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", told).groups()  # type: ignore[union-attr]
    assert Fraction(least) <= Fraction(low) <= Fraction(high) <= Fraction(most)
    width, size = Fraction(high) - Fraction(low), max(abs(Fraction(low)), abs(Fraction(high)))
    if width:
        assert Fraction(most) - Fraction(least) <= width * Fraction(6, 5) + size / 10**15 + Fraction(1, 500)
    assert len(told) < 100


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


NOW = 1e9
"""Seconds by the clock on the wall, which stands still: nothing becomes old while a test looks at it."""


@pytest.fixture(autouse=True)
def _wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnpg.live.observation.time", SimpleNamespace(time=lambda: NOW))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("bnpg.live.lines.time.monotonic", clock)
    return clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plan = plan_experiment({"game": "climbing", "rounds": 3})
    return create_run_folder(plan, LaunchSettings(), tmp_path / "run").path


def status(**changes: Any) -> dict[str, Any]:
    agent = {
        "incarnation": 1,
        "heard_seconds_ago": 0.1,
        "phase": "running",
        "round": 3,
        "step": 2,
        "lacks": [],
    }
    told = {
        "phase": "running",
        "round": 3,
        "rounds": 10,
        "step": 2,
        "generation": 1,
        "waiting_for": "the actions of agent 1",
        "awaited": [1],
        "agents": {"0": agent, "1": agent | {"lacks": ["agent 0"]}},
        "delivered": 100,
        "retransmitted": 4,
        "duplicates": 5,
        "refused": {"stale epoch": 6},
        "written": NOW,
    }
    return told | changes


def observe(told: dict[str, Any] | None) -> ObservedRun:
    return ObservedRun(Dag(2, ((0, 1),)), 10, lambda: told)


def test_lines_come_once_a_second_and_at_the_end(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(100, stream)
    for round_ in range(101):
        clock.now += 0.25
        lines(Line(round_, return_mean=1.0, return_stderr=0.5))
    said = stream.getvalue().splitlines()
    assert said[0] == "round 3/100, return 1.000 ± 0.500, 24 s left"
    assert said[-1] == "round 100/100, return 1.000 ± 0.500"
    assert len(said) == 26


def test_the_latest_evaluation_is_shown_between_two(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(10, stream)
    lines(Line(0, value=2.0, nash_gap=0.5, optimality_gap=1.5, objective=None))
    clock.now += 2
    lines(Line(1))
    expected = "round 1/10, exact value 2.0000, optimality gap 1.5, Nash gap 0.5, 18 s left\n"
    assert stream.getvalue() == expected


def test_quiet_is_silent(folder: Path) -> None:
    stream = Terminal()
    with watching(RunFolder(folder), True, stream) as watcher:
        watcher(Line(1))
    assert stream.getvalue() == ""


def test_what_is_no_terminal_gets_lines(folder: Path) -> None:
    stream = io.StringIO()
    with watching(RunFolder(folder), False, stream) as watcher:
        watcher(Line(3))
    assert stream.getvalue() == "round 3/3\n"


def test_what_a_peer_says_gives_a_terminal_no_orders(folder: Path) -> None:
    stream = Terminal()
    told = status(waiting_for="agent 1 \x1b]0;owned\x07", awaited=[])
    told["agents"]["0"]["lacks"] = ["\x1b]0;owned\x07"]
    (folder / "status.json").write_text(json.dumps(told))
    with watching(RunFolder(folder), False, stream) as watcher:
        watcher(Line(3))
    assert "\\x1b]0;owned\\x07" in stream.getvalue()
    assert "\x1b]0;owned" not in stream.getvalue()


def test_a_terminal_gets_a_screen(folder: Path) -> None:
    stream = Terminal()
    (folder / "status.json").write_text(json.dumps(status()))
    with watching(RunFolder(folder), False, stream) as watcher:
        for round_ in range(4):
            watcher(Line(round_, value=2.0, optimality_gap=1e-7, nash_gap=0.0, return_mean=3.0))
    for words in ("round 3/3", "agent 1", "sees 0", "waited for", "2.0000 of 2.0000", "4 sent again"):
        assert words in stream.getvalue()


def test_a_run_of_no_rounds_and_a_silent_coordinator_have_a_screen() -> None:
    stream = Terminal()
    screen = Screen(ObservedRun(Dag(30), 0, lambda: status(written=NOW - 60)), stream)
    with screen.live:
        screen(Line(0))
    assert "no word from the coordinator" in stream.getvalue()


def test_who_is_waited_for_is_told_from_who_is_up_and_who_is_gone() -> None:
    seen = observe(status()).now()
    assert [(one.state, one.words) for one in seen.agents] == [
        ("up", "round 3, step 2"),
        ("awaited", "waited for; round 3, step 2"),
    ]
    assert (seen.retransmitted, seen.duplicates, seen.refused) == (4, 5, 6)
    only_one = status()
    del only_one["agents"]["0"]
    only_one["agents"]["1"]["heard_seconds_ago"] = 9.0
    assert [one.words for one in observe(only_one).now().agents] == ["has not joined", "silent for 9 s"]


def test_an_agent_that_waits_for_its_parent_says_so() -> None:
    seen = observe(status(awaited=[])).now()
    assert seen.agents[1].words == "round 3, step 2, waits for agent 0"


def test_before_the_first_status_nothing_is_claimed() -> None:
    seen = observe(None).now()
    assert {one.state for one in seen.agents} == {"unknown"}
    assert seen.messages_per_second is None
    assert seen.silent is None


def test_a_status_that_is_not_renewed_says_nothing_of_the_agents() -> None:
    seen = observe(status(written=NOW - 60)).now()
    assert seen.silent == 60
    assert {one.state for one in seen.agents} == {"unknown"}


def test_a_run_that_has_ended_is_not_silent() -> None:
    seen = observe(status(phase="ended", written=NOW - 60)).now()
    assert seen.silent is None
    assert {one.state for one in seen.agents} == {"up"}


def test_messages_a_second_are_counted_between_statuses_and_begin_anew_with_a_new_coordinator() -> None:
    told = status(written=1000.0)
    observer = ObservedRun(Dag(2, ((0, 1),)), 10, lambda: told)
    assert observer.now().messages_per_second is None
    told |= {"written": 1002.0, "delivered": 300}
    assert observer.now().messages_per_second == pytest.approx(100.0)
    told |= {"written": 1003.0, "delivered": 10, "generation": 2}
    assert observer.now().messages_per_second is None
    told |= {"written": 1004.0, "delivered": 60}
    assert observer.now().messages_per_second == pytest.approx(50.0)


def test_a_torn_or_missing_status_is_none_and_a_new_one_is_read(folder: Path) -> None:
    run = RunFolder(folder)
    assert run.status is None
    (folder / "status.json").write_text('{"phase": ')
    assert run.status is None
    (folder / "status.json").write_bytes(msgspec.json.encode(status()))
    assert run.status is not None
    assert run.status["phase"] == "running"


@given(st.lists(st.floats(-1e9, 1e9), max_size=100))
def test_a_sparkline_fits_and_rises_to_its_highest(values: list[float]) -> None:
    line = sparkline(values)
    assert len(line) == min(len(values), 24)
    if 0 < len(values) <= 24 and max(values) > min(values):
        assert line[values.index(max(values))] == "█"
        assert line[values.index(min(values))] == "▁"


def test_a_sparkline_spans_all_doubles() -> None:
    assert sparkline([-1.7e308, 0.0, 1.7e308]) == "▁▅█"
