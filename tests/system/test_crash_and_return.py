"""Whatever dies, freezes or is interrupted, the run comes to the same bytes in the end."""

import json
import os

import psutil
import pytest
from bnpg_agents.checkpoint import load_latest
from bnpg_protocol.wire.exit_codes import ExitCode

CASE = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "rounds": 120,
    "lanes": 8,
    "horizon": 3,
    "evaluate_every": 40,
    "learning_rate": 0.5,
    "initial": "normal",
}
SETTINGS = {"fsync": False}


@pytest.fixture
def finishes(play):
    """Wait for the end of a run, and compare it with the run nothing ever happened to."""

    def check(run):
        assert run.wait() == ExitCode.DONE, run.log
        expected = play(**CASE)
        assert run.digest == expected.digest
        assert run.lines == expected.lines
        assert run.summary["state"] == "done"

    return check


def test_agents_and_coordinator_killed_while_joining_and_in_any_round(start_run, finishes):
    run = start_run(**CASE, settings=SETTINGS)
    bystander = run.process("agent-0")
    run.kill("agent-1")
    for name, round_ in [("agent-2", 10), ("coordinator", 40), ("agent-1", 70)]:
        run.until_round(round_)
        run.kill(name)
    run.until_round(90)
    assert bystander.is_running(), "the others' processes are not touched"
    finishes(run)


def test_an_agent_that_somebody_else_tells_to_end_is_started_again(start_run, finishes):
    run = start_run(**CASE, settings=SETTINGS)
    for name, round_ in [("agent-1", 10), ("agent-2", 40)]:
        run.until_round(round_)
        run.process(name).terminate()
    finishes(run)


def test_with_a_relay_agents_and_coordinator_are_killed_and_the_run_goes_on_without(start_run, play):
    case = CASE | {"dag": "complete"}
    run = start_run(**case, settings=SETTINGS | {"relay": "on"})
    for name, round_ in [("agent-1", 5), ("coordinator", 40), ("agent-2", 70)]:
        run.until_round(round_)
        run.kill(name)
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**case)
    assert (run.digest, run.lines) == (expected.digest, expected.lines)


@pytest.mark.parametrize(
    "way",
    [
        {"step_size": "backtracking", "momentum": "nesterov", "direction": "natural"},
        {"step_size": "barzilai-borwein"},
    ],
    ids=["momentum", "step-size"],
)
def test_what_a_round_knows_of_earlier_ones_survives_agents_and_coordinator(way, start_run, play):
    case = {"game": "coordination(agents=3)", "dag": "0-2,1-2", "mode": "exact", "rounds": 300}
    case |= {"initial": "normal", "regularization": 0.01, "evaluate_every": 100} | way
    run = start_run(**case, settings=SETTINGS)
    for name, round_ in [("agent-2", 10), ("coordinator", 60), ("agent-1", 110)]:
        run.until_round(round_)
        run.kill(name)
    run.until_round(160)
    run.kill_everything()
    assert 160 < run.recorded < 300
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**case)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_a_killed_coordinator_is_found_again(transport, start_run, finishes):
    run = start_run(**CASE, settings=SETTINGS | {"transport": transport})
    run.until_round(30)
    agents = [run.process(f"agent-{agent}") for agent in range(3)]
    run.kill("coordinator")
    run.until_round(80)
    assert all(process.is_running() for process in agents), "the agents' processes are not touched"
    finishes(run)


def test_a_run_that_is_broken_off_again_and_again_and_resumed(start_run, finishes):
    run = start_run(**CASE, settings=SETTINGS)
    run.process("agent-2")
    run.interrupt()
    assert run.wait() == ExitCode.INTERRUPTED, "Ctrl-C while joining"
    assert not run.processes

    run.start()
    run.until_round(20)
    processes = list(run.processes.values())
    run.kill_launcher()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive, "a killed launcher takes its processes along"

    run.start()
    run.until_round(40)
    run.kill_everything()
    assert not run.processes
    assert 40 < run.recorded < 120

    run.start()
    run.until_round(60)
    run.interrupt()
    assert run.wait() == ExitCode.INTERRUPTED, "Ctrl-C in the midst of a round"
    assert not run.processes
    assert run.summary["state"] == "interrupted"
    assert [line.round for line in run.lines] == list(range(run.recorded))
    assert all(load_latest(folder) for folder in (run.folder / "agents").iterdir())

    run.start()
    finishes(run)


def test_frozen_processes_are_waited_for_by_name(start_run, finishes):
    run = start_run(**CASE, settings=SETTINGS)
    run.until_round(20)
    run.freeze("agent-1")
    # A second, because what was under way when it froze may still end the round.
    run.until(
        lambda: "agent 1" in run.status.get("waiting_for", "") and _stale(run, 1), "agent 1 was waited for"
    )
    before = run.recorded
    run.until(lambda: _stale(run, 2), "another second passed")
    assert run.recorded == before
    run.thaw("agent-1")

    run.until_round(60)
    for name in ("coordinator", "agent-0"):
        run.freeze(name)
    run.launcher.suspend()
    run.kill("agent-2")
    run.launcher.resume()
    run.until(lambda: "agent-2" in run.processes, "agent 2 was started again")
    for name in ("agent-0", "coordinator"):
        run.thaw(name)
    finishes(run)


def test_a_run_that_may_not_lose_an_agent_fails_when_it_does(start_run):
    run = start_run(**CASE, settings=SETTINGS | {"on_loss": "fail"})
    run.until_round(10)
    run.kill("agent-1")
    assert run.wait() == ExitCode.PEER_FAILED
    assert not run.processes


def test_an_agent_of_another_experiment_is_rejected_and_the_launcher_says_so(start_run):
    def prepare(run):
        folder = run.folder / "agents" / "agent-1"
        folder.mkdir(parents=True)
        (folder / "agent.json").write_text(json.dumps({"agent": 1, "experiment": "0" * 32}))

    run = start_run(**CASE, settings=SETTINGS, prepare=prepare)
    assert run.wait() == ExitCode.REJECTED, run.log
    assert "was rejected (experiment)" in run.log


LARGE = CASE | {"game": "coordination(agents=4)", "dag": "complete"}
"""Theta of agent 3 fills 2 KiB, more than a log of warnings."""


def test_a_full_disk_ends_the_run_with_that_reason_and_corrupts_nothing(start_run, play):
    run = start_run(**LARGE, settings=SETTINGS)
    run.until_round(10)
    run.process("agent-3").rlimit(psutil.RLIMIT_FSIZE, (1024, 1024))
    assert run.wait() == ExitCode.STORAGE, run.log
    assert "agent 3 failed: cannot write" in run.summary["why"]
    folder = run.folder / "agents" / "agent-3"
    assert not list(folder.glob("*.tmp"))
    assert len(load_latest(folder)) >= 2

    run.start()
    run.until_round(20)
    run.process("coordinator").rlimit(psutil.RLIMIT_FSIZE, (5000, 5000))
    assert run.wait() == ExitCode.STORAGE, run.log
    assert run.summary["state"] == "failed"
    assert "cannot write" in run.summary["why"]

    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**LARGE)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


def _stale(run, seconds=0):
    """Whether the coordinator goes on telling its status this long after the last line of the record."""
    status, record = run.folder / "status.json", run.folder / "metrics.jsonl"
    return os.stat(status).st_mtime > os.stat(record).st_mtime + seconds
