"""A finished run goes on, and is then what a run of so many rounds from the start would have been."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bnpg_coordinator import run_files
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.execution import execute
from bnpg.launchers.registry import find_launcher
from bnpg.resumption import resumable
from bnpg.run_folder import RunFolder

QUICK = ("--launcher", "memory", "--quiet", "--no-fsync", "--evaluate-every", "4")
SAMPLED = ("coordination(agents=3)", "--lanes", "4", "--horizon", "2", "--save-policy", "--trace")
WAYS = {
    "normalised": SAMPLED,
    "adam": (*SAMPLED, "--optimizer", "adam"),
    "momentum": ("climbing", "--mode", "exact", "--momentum", "nesterov", "--regularization", "0.01"),
    "critic": ("climbing", "--policy", "mlp:4", "--critic", "mlp:4", "--update", "a2c", "--lanes", "4"),
    "stops": ("climbing", "--mode", "exact", "--stop-at-epsilon", "6", "--learning-rate", "1"),
}
MAY_DIFFER = {"seconds", "run", "run_dir", "chain"}


def without_time(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    summary = json.loads((folder / run_files.SUMMARY).read_text())
    lines = [json.loads(line) for line in (folder / run_files.RECORD).read_text().splitlines()]
    return (
        [{key: value for key, value in line.items() if key not in MAY_DIFFER} for line in lines],
        {key: value for key, value in summary.items() if key not in MAY_DIFFER},
    )


@pytest.mark.parametrize("way", WAYS)
def test_it_comes_to_what_so_many_rounds_from_the_start_come_to(run: Callable[..., Any], way: str) -> None:
    assert run("train", *WAYS[way], *QUICK, "--rounds", "6", "--out", "run").code == 0
    assert run("train", *WAYS[way], *QUICK, "--rounds", "13", "--out", "whole").code == 0
    assert run("resume", "run", "--rounds", "13", "--quiet").code == 0
    here, whole = Path("run"), Path("whole")
    assert without_time(here) == without_time(whole)
    for name in (run_files.EXPERIMENT, run_files.POLICY, "certificate.npz"):
        assert (here / name).exists() == (whole / name).exists()
        if (whole / name).exists():
            assert (here / name).read_bytes() == (whole / name).read_bytes(), name
    if (whole / run_files.CERTIFICATE).exists():
        assert run("certificate", "check", "run").code == 0
    if "--trace" in WAYS[way]:
        assert run("trace", "check", "run").code == 0


def test_interrupted_on_the_way_it_says_what_is_there_and_goes_on(run: Callable[..., Any]) -> None:
    assert run("train", *SAMPLED, *QUICK, "--rounds", "6", "--out", "run").code == 0
    first = json.loads(Path("run/summary.json").read_text())
    going = resumable(RunFolder(Path("run")), 60)
    ended = execute(
        going,
        going.settings,
        find_launcher("memory"),
        lambda line: line.round >= 8,
        rounds=60,
        curves=False,
    ).summary
    assert (ended["state"], ended["rounds_total"], ended["certificate"]) == ("interrupted", 60, None)
    # What was gathered at the first end is not the policy of this round.
    assert ended["policy_digest"] != first["policy_digest"]
    assert not Path("run/policy.npz").exists()
    rounds = ended["rounds"]
    assert run("train", *SAMPLED, *QUICK, "--rounds", rounds, "--out", "as-far").code == 0
    assert ended["policy_digest"] == json.loads(Path("as-far/summary.json").read_text())["policy_digest"]
    ahead = max(round_ for held in RunFolder(Path("run")).held() for round_ in held)
    assert ahead > rounds
    stopped = run("resume", "run", "--rounds", rounds)
    assert (stopped.code, f"rounds is {rounds}, but {ahead} are done" in stopped.err) == (2, True)
    assert run("resume", "run", "--rounds", ahead, "--quiet").code == 0
    assert run("resume", "as-far", "--rounds", ahead, "--quiet").code == 0
    assert without_time(Path("run")) == without_time(Path("as-far"))


@pytest.mark.parametrize(
    ("extra", "rounds", "why"),
    [
        ((), "5", "run: rounds is 5, but 6 are done: expected 6 or more"),
        (("--schedule", "linear"), "9", "goes down in a line over the 6 rounds that it began with"),
        ((), "-1", "'--rounds': expected an integer of at least 0"),
    ],
)
def test_what_would_be_another_run_is_refused_in_one_line(
    run: Callable[..., Any], refused: Callable[..., str], extra: tuple[str, ...], rounds: str, why: str
) -> None:
    assert run("train", *SAMPLED, *QUICK, *extra, "--rounds", "6", "--out", "run").code == 0
    shutil.copytree("run", "before")
    assert why in refused("resume", "run", "--rounds", rounds)
    for path in Path("before").rglob("*"):
        if path.is_file():
            assert (Path("run") / path.relative_to("before")).read_bytes() == path.read_bytes()


def test_as_many_rounds_as_it_has_are_done_already(run: Callable[..., Any]) -> None:
    assert run("train", *SAMPLED, *QUICK, "--rounds", "6", "--out", "run").code == 0
    ended = run("resume", "run", "--rounds", "6")
    assert (ended.code, "is finished already" in ended.err) == (0, True)
    assert "bnpg resume run --rounds 12" in ended.out


def test_a_run_to_a_gap_that_was_never_completed_is_given_more_rounds(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    aimed = ("climbing", "--mode", "exact", "--dag", "0-1", "--stop-at-epsilon", "0.000000001", *QUICK)

    def killed(*_arguments: object) -> None:
        raise StorageFailed("killed")

    with monkeypatch.context() as patched:
        patched.setattr("bnpg.execution.write_heads", killed)
        assert run("train", *aimed, "--rounds", "6", "--out", "run").code == ExitCode.STORAGE
    assert "processes" not in json.loads(Path("run/summary.json").read_text())
    assert run("resume", "run", "--rounds", "13", "--quiet").code == 0
    assert run("train", *aimed, "--rounds", "13", "--out", "whole").code == 0
    assert without_time(Path("run")) == without_time(Path("whole"))


@pytest.mark.parametrize("gap", ["5", "7"])
def test_a_run_that_stopped_early_goes_on_to_another_gap(run: Callable[..., Any], gap: str) -> None:
    assert run("train", *WAYS["stops"], *QUICK, "--rounds", "40", "--out", "run").code == 0
    first = json.loads(Path("run/summary.json").read_text())
    assert (first["certified"], first["rounds"] < 40) == (True, True)
    experiment = Path("run/experiment.toml")
    text = experiment.read_text()
    assert "stop-at-epsilon = 6.0\n" in text
    experiment.write_text(text.replace("stop-at-epsilon = 6.0\n", f"stop-at-epsilon = {gap}.0\n"))
    assert run("resume", "run", "--quiet").code == 0
    found = json.loads(Path("run/summary.json").read_text())
    assert found["stop_at_epsilon"] == float(gap)
    # The weight of the barrier is that of the first gap: one is reached already, the other cannot be.
    reached = (True, first["rounds"]) if gap == "7" else (False, 40)
    assert (found["certified"], found["rounds"]) == reached
    assert "is finished already" in run("resume", "run").err
