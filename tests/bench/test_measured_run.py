"""What of a run is measured, and what becomes of one that fails."""

import subprocess
import sys

import psutil
import pytest
from bnpg_coordinator.line import Line
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.bench import measured_run
from bnpg.lab.bench.measured_run import BenchmarkFailed, Watch, Workload, measure
from bnpg.lab.bench.usage import Footprint
from bnpg.launchers.settings import Outcome

WORKLOAD = Workload(game="climbing", dag="empty", horizon=2, rounds=3)


def test_the_first_round_and_the_end_are_left_out_and_the_median_round_counts() -> None:
    watch = Watch(4, [])
    for round_, seconds in enumerate([9.0, 2.0, 4.0, 3.0, 0.001]):
        watch.line(Line(round_, seconds=seconds))
    sample = watch.sample(steps=10)
    assert sample.seconds == pytest.approx(0.3)
    assert sample.steps == 30


def test_processes_that_are_gone_in_the_middle_were_weighed_at_the_beginning() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch = Watch(4, [psutil.Process(process.pid)])
        watch.line(Line(0, seconds=1.0))
        process.communicate(b"\n")
    for round_ in (1, 2, 3, 4):
        watch.line(Line(round_, seconds=1.0))
    assert (watch.sample(steps=1).agent_resident_bytes or 0.0) > 1e6


def test_processes_are_weighed_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = iter(range(1, 9))
    monkeypatch.setattr(measured_run, "footprint", lambda _one: Footprint(next(weights), 1))
    watch = Watch(4, [psutil.Process()])
    for round_ in range(5):
        watch.line(Line(round_, seconds=1.0))
    assert watch.sample(steps=1).agent_bytes == 2, "at the beginning, and once more in round 2"


def test_a_run_without_a_round_is_no_measurement() -> None:
    watch = Watch(4, [])
    watch.line(Line(0, seconds=1.0))
    with pytest.raises(BenchmarkFailed, match="no round was measured"):
        watch.sample(steps=10)


def test_a_run_that_fails_says_why() -> None:
    with pytest.raises(BenchmarkFailed, match="climbing, DAG empty: agent-1 is gone"):
        measure(WORKLOAD, launch=lambda *_: Outcome(ExitCode.PEER_FAILED, "agent-1 is gone", 3))


def test_a_person_who_interrupts_a_run_interrupts_the_benchmark() -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(WORKLOAD, launch=lambda *_: Outcome(ExitCode.INTERRUPTED, "interrupted", 3))


def test_rounds_of_the_exact_mode_are_one_step() -> None:
    assert Workload(game="climbing", dag="empty", mode="exact", horizon=50).steps == 1
    assert WORKLOAD.steps == 2
