"""`bnpg train` and `bnpg resume`, from the command line to the run folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli import launching
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg_math.policies.file import load_policy

SMALL = ["--rounds", 6, "--lanes", 16, "--horizon", 5, "--evaluate-every", 2, "--no-fsync"]
KEYS = {
    "rounds", "seconds", "processes", "value", "nash_gap", "optimality_gap", "policy_digest", "run_dir",
    "objective", "gradient_norm", "optimal_value", "state", "why", "return_mean", "return_stderr",
}  # fmt: skip


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_json_is_one_object_and_nothing_else_is_on_stdout(run: Any, here: Path) -> None:
    ended = run(
        "train", "climbing", *SMALL, "--launcher", "memory", "--out", "run", "--save-policy", "--json"
    )
    assert ended.code == 0
    summary = json.loads(ended.out)
    assert ended.out.count("\n") == 1
    assert set(summary) >= KEYS
    assert (summary["state"], summary["rounds"], summary["processes"]) == ("done", 6, 1)
    assert summary["run_dir"] == str(here / "run")
    assert summary["optimal_value"] == pytest.approx(11.0)
    assert summary["policy_digest"] == load_policy("run/policy.npz").digest
    assert json.loads(Path("run/summary.json").read_text()) == summary
    assert "round 6/6" in ended.err
    assert (here / "run/curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_record_has_a_line_a_round(run: Any, here: Path) -> None:
    assert run("train", "climbing", *SMALL, "--launcher", "memory", "--out", "run").code == 0
    lines = lines_of(here / "run")
    assert [line["round"] for line in lines] == list(range(7))
    assert all(np.isfinite(line["seconds"]) for line in lines)
    assert [line["round"] for line in lines if "nash_gap" in line] == [0, 2, 4, 6]
    assert [line["round"] for line in lines if "return_mean" in line] == list(range(6))


def test_people_get_words_and_quiet_means_no_progress(run: Any) -> None:
    ended = run("train", "climbing", *SMALL, "--launcher", "memory", "--out", "run", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    for word in (
        "return",
        "exact value",
        "best possible",
        "optimality gap",
        "% of V*",
        "Nash gap",
        "curves.png",
    ):
        assert word in ended.out


@pytest.mark.parametrize("mode", ["sampled", "exact"])
def test_without_evaluation_values_are_null_with_a_reason(run: Any, mode: str) -> None:
    ended = run(
        "train",
        "climbing",
        *SMALL,
        "--mode",
        mode,
        "--launcher",
        "memory",
        "--evaluate-every",
        0,
        "--json",
        "--out",
        "r",
    )
    summary = json.loads(ended.out)
    for key in ("value", "nash_gap", "optimality_gap", "objective", "gradient_norm", "optimal_value"):
        assert summary[key] is None
        assert "evaluate-every" in summary[f"{key}_reason"]
    assert summary["policy_digest"]
    assert (summary["return_mean"] is None) == (mode == "exact")
    assert run("resume", "r").code == 0


def test_no_rounds_at_all(run: Any) -> None:
    ended = run("train", "climbing", "--rounds", 0, "--launcher", "memory", "--json")
    summary = json.loads(ended.out)
    assert (ended.code, summary["rounds"], summary["return_mean"]) == (0, 0, None)
    assert summary["value"] == pytest.approx(np.array([11, -30, 0, -30, 7, 6, 0, 0, 5]).mean())


def test_files_and_flags_give_the_same_policy(
    run: Any, here: Path, game_file: Path, policy_file: Path
) -> None:
    files = ["--initial", policy_file, "--launcher", "memory", "--seed", 3, "--json"]
    first = json.loads(run("train", game_file, *SMALL, *files, "--out", "first").out)
    game_file.unlink()
    policy_file.unlink()
    again = run("train", "first/experiment.toml", "--launcher", "memory", "--json", "--out", "again")
    other = run("train", "first/experiment.toml", "--launcher", "memory", "--json", "--seed", 4)
    assert json.loads(again.out)["policy_digest"] == first["policy_digest"]
    assert json.loads(other.out)["policy_digest"] != first["policy_digest"]


def test_a_second_run_into_the_folder_is_refused(run: Any, refused: Any) -> None:
    assert run("train", "climbing", *SMALL, "--launcher", "memory", "--out", "run").code == 0
    assert "run exists already" in refused("train", "climbing", *SMALL, "--out", "run")


@pytest.mark.parametrize("mode", ["sampled", "exact"])
def test_processes_give_the_same_bits_as_memory(run: Any, mode: str) -> None:
    digests = {}
    for launch in (["--launcher", "memory"], ["--transport", "ipc"], ["--transport", "tcp"]):
        ended = run("train", "climbing3", *SMALL, "--mode", mode, "--dag", "star", "--json", *launch)
        summary = json.loads(ended.out)
        digests[launch[1]] = (summary["policy_digest"], summary["value"], summary["nash_gap"])
        assert summary["processes"] == (1 if launch[1] == "memory" else 4)
    assert len(set(digests.values())) == 1


def test_resuming_a_finished_run_says_so(run: Any) -> None:
    first = json.loads(run("train", "climbing", *SMALL, "--launcher", "memory", "--out", "run", "--json").out)
    ended = run("resume", "run")
    assert ended.code == 0
    assert "finished already" in ended.err
    assert "Nash gap" in ended.out
    assert json.loads(run("resume", "run", "--json").out) == first


# How a launcher may end, played by a stand-in

Ending = Callable[[Path, LaunchSettings, Callable[[dict[str, Any]], None]], Outcome]


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Ending], None]]:
    def use(launch: Ending) -> None:
        monkeypatch.setattr(launching, "find_launcher", lambda name: launch)

    return use  # type: ignore[return-value]


@pytest.mark.parametrize(
    "code", [ExitCode.PEER_FAILED, ExitCode.DEADLINE, ExitCode.PROTOCOL, ExitCode.STORAGE]
)
def test_a_failed_run_says_why_and_keeps_its_exit_code(run: Any, ending: Any, code: ExitCode) -> None:
    ending(lambda *given: Outcome(code, "agent-1 was killed by signal 9", 3))
    ended = run("train", "climbing", "--out", "run", "--json")
    assert ended.code == code
    summary = json.loads(ended.out)
    assert (summary["state"], summary["rounds"]) == ("failed", 0)
    assert summary["value"] is None
    assert summary["value_reason"]
    assert "agent-0" in summary["policy_digest_reason"]
    assert "bnpg: error: agent-1 was killed by signal 9" in ended.err
    assert run("resume", "run", "--quiet").code == code


def test_an_interrupted_run_says_how_to_go_on(run: Any, ending: Any) -> None:
    ending(lambda *given: Outcome(ExitCode.INTERRUPTED, "interrupted", 3))
    ended = run("train", "climbing", "--out", "run")
    assert ended.code == 130
    assert "bnpg resume run" in ended.err


@pytest.mark.parametrize("command", [["train", "climbing", "--out", "run"], ["resume", "kept"]])
def test_ctrl_c_outside_the_launcher(run: Any, ending: Any, command: list[str]) -> None:
    assert run("train", "climbing", *SMALL, "--launcher", "memory", "--out", "kept").code == 0
    Path("kept/summary.json").unlink()

    def interrupt(*arguments: object) -> Outcome:
        raise KeyboardInterrupt

    ending(interrupt)
    ended = run(*command, "--quiet")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err.startswith("bnpg: interrupted; continue with: bnpg resume ")
    assert ended.err.count("\n") == 1


def test_resume_launches_as_before_unless_told_otherwise(run: Any, ending: Any) -> None:
    seen: list[LaunchSettings] = []

    def record(_run: object, settings: LaunchSettings, *_given: object) -> Outcome:
        seen.append(settings)
        return Outcome(ExitCode.INTERRUPTED, "interrupted", 1)

    ending(record)
    run(
        "train",
        "climbing",
        "--out",
        "run",
        "--transport",
        "tcp",
        "--patience",
        9,
        "--no-fsync",
        "--on-loss",
        "fail",
    )
    run("resume", "run")
    run("resume", "run", "--launcher", "memory", "--fsync")
    assert seen[0] == seen[1]
    assert (seen[0].transport, seen[0].patience, seen[0].fsync, seen[0].on_loss) == (
        "tcp",
        9.0,
        False,
        "fail",
    )
    assert (seen[2].launcher, seen[2].transport, seen[2].fsync) == ("memory", "tcp", True)


def test_a_picture_that_cannot_be_drawn_fails_no_run(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from bnpg import curves

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(curves, "draw", fail)
    ended = run("train", "climbing", *SMALL, "--launcher", "memory", "--out", "run", "--quiet")
    assert ended.code == 0
    assert "No space left" in ended.err


# Ctrl-C, for real


def start(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bnpg", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.fixture
def heard() -> Iterator[None]:
    """A closed terminal is heard of, also where the tests themselves are told to outlive theirs (nohup)."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("launcher", ["memory", "local"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_leaves_a_run_that_resumes_to_the_same_bits(
    run: Any, here: Path, launcher: str, number: signal.Signals
) -> None:
    # Enough rounds that none of the machines at hand is through before the signal arrives.
    options = ["--lanes", 16, "--horizon", 5, "--no-fsync", "--learning-rate", 0.01, "--evaluate-every", 1000]
    process = start("train", "climbing", *options, "--rounds", 100000, "--launcher", launcher, "--out", "run")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("round "):
            break
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= (3 if launcher == "local" else 0)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "bnpg resume run" in err
    assert "Traceback" not in err
    assert psutil.wait_procs(children, timeout=10)[1] == []
    done = json.loads(Path("run/summary.json").read_text())
    assert done["state"] == "interrupted"
    assert [line["round"] for line in lines_of(here / "run")] == list(range(len(lines_of(here / "run"))))
    # Shorten what is left, so that the test ends: the number of rounds is no part of what a run is.
    rounds = done["rounds"] + 5
    file = Path("run/experiment.toml")
    file.write_text(file.read_text().replace("rounds = 100000", f"rounds = {rounds}"))
    resumed = json.loads(run("resume", "run", "--json").out)
    whole = run(
        "train", "climbing", *options, "--rounds", rounds, "--launcher", "memory", "--json", "--quiet"
    )
    assert (resumed["state"], resumed["rounds"]) == ("done", rounds)
    assert resumed["policy_digest"] == json.loads(whole.out)["policy_digest"]
