"""Progress: plain lines at most once a second, a bar on a terminal, nothing when quiet."""

import io

import pytest

from bnpg.progress import watching


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("bnpg.progress.time.monotonic", clock)
    return clock


def test_lines_come_once_a_second_and_at_the_end(clock: Clock) -> None:
    stream = io.StringIO()
    with watching(100, False, stream) as watcher:
        for round_ in range(101):
            clock.now += 0.25
            watcher({"round": round_, "return_mean": 1.0, "return_stderr": 0.5})
    lines = stream.getvalue().splitlines()
    assert lines[0] == "round 3/100, return 1.000 ± 0.500, 24 s left"
    assert lines[-1] == "round 100/100, return 1.000 ± 0.500"
    assert len(lines) == 26


def test_the_latest_evaluation_is_shown_between_two(clock: Clock) -> None:
    stream = io.StringIO()
    with watching(10, False, stream) as watcher:
        watcher({"round": 0, "value": 2.0, "nash_gap": 0.5, "optimality_gap": 1.5, "objective": None})
        clock.now += 2
        watcher({"round": 1})
    assert (
        stream.getvalue() == "round 1/10, exact value 2.0000, optimality gap 1.5, Nash gap 0.5, 18 s left\n"
    )


def test_quiet_is_silent(clock: Clock) -> None:
    stream = Terminal()
    with watching(1, True, stream) as watcher:
        clock.now += 9
        watcher({"round": 1})
    assert stream.getvalue() == ""


@pytest.mark.parametrize("rounds", [0, 3])
def test_a_terminal_gets_a_bar_that_is_gone_afterwards(rounds: int) -> None:
    stream = Terminal()
    with watching(rounds, False, stream) as watcher:
        for round_ in range(rounds + 1):
            watcher(
                {"round": round_, "value": 2.0, "optimality_gap": 1e-7, "nash_gap": 0.0, "return_mean": 3.0}
            )
    assert f"round {rounds}/{rounds}" in stream.getvalue()
