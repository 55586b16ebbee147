"""Other ways of climbing than plain (3): the same certificates, in fewer rounds, and the same bytes again."""

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnpg_coordinator.line import Line
from bnpg_coordinator.run_record import read_lines

from bnpg.certificate import certificate_lines
from bnpg.lab.proof.check import check_trace
from bnpg.lab.proof.reference import check_reference
from bnpg.report.recorded_run import read_run
from bnpg.report.reproduction import reproduction
from bnpg.run_folder import RunFolder
from bnpg.trace.reading import read_trace
from bnpg_math.policies.file import load_policy

GAME = "random(states=3, agents=3, actions=2, branching=3, gamma=0.8, seed=0)"
AIM = {"game": GAME, "dag": "line", "stop_at_epsilon": 0.5, "learning_rate": "certified", "rounds": 5000}
WAYS: list[dict[str, Any]] = [
    {"step_size": "backtracking"},
    {"step_size": "barzilai-borwein"},
    {"momentum": "nesterov"},
    {"step_size": "backtracking", "momentum": "nesterov"},
    {"step_size": "backtracking", "direction": "natural"},
    {"step_size": "barzilai-borwein", "direction": "natural"},
    {"direction": "natural", "learning_rate": 0.5},
    {"step_size": "backtracking", "direction": "natural", "momentum": "nesterov"},
]
IDS = ["-".join(map(str, way.values())) for way in WAYS]


def lines(folder: Path) -> list[Line]:
    return [line.untimed for line in read_lines(folder / "metrics.jsonl")]


def interrupt_at(round_: int):
    def interrupt(line: Line) -> None:
        if line.round == round_:
            signal.raise_signal(signal.SIGINT)

    return interrupt


@pytest.fixture(scope="module")
def plain_rounds() -> list[int]:
    return []


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_the_certificate_is_the_same_and_is_reached_sooner(way, start, go_on, plain_rounds) -> None:
    if not plain_rounds:
        plain_rounds.append(go_on(start("plain", **AIM))["rounds"])
    folder = start(**AIM | way, save_policy=True)
    summary = go_on(folder)
    assert summary["certified"] is True
    assert summary["nash_gap"] <= 0.5
    assert 0 < summary["rounds"] < plain_rounds[0]
    assert load_policy(folder / "policy.npz").digest == summary["policy_digest"]
    said = "\n".join(certificate_lines(RunFolder(folder).experiment, summary))
    plainly = "it speaks of exact gradient updates" not in said
    assert plainly == (way.keys() == {"step_size"})
    again = reproduction(read_run(folder)).command
    for option, value in way.items():
        assert f"--{option.replace('_', '-')} {value}" in again


@pytest.mark.parametrize("way", [WAYS[1], WAYS[7], WAYS[2]], ids=[IDS[1], IDS[7], IDS[2]])
def test_interrupted_runs_come_to_the_same_bytes_also_if_the_agents_lost_some_rounds(
    way, start, go_on, tmp_path: Path
) -> None:
    case = {"game": GAME, "rounds": 60, "initial": "normal", "regularization": 0.02, "trace": True} | way
    expected = go_on(start("whole", **case))
    folder = start(**case)
    go_on(folder, on_line=interrupt_at(20))
    shutil.copytree(folder / "agents", tmp_path / "older")
    assert go_on(folder, on_line=interrupt_at(40))["state"] == "interrupted"
    # All agents in one process store their thetas now and then: what a killed one finds may be older.
    for agent in (folder / "agents").iterdir():
        for file in agent.glob("theta-*"):
            file.unlink()
        for file in (tmp_path / "older" / agent.name).glob("theta-*"):
            shutil.copy(file, agent)
    assert len(lines(folder)) > 30
    summary = go_on(folder)
    assert summary["policy_digest"] == expected["policy_digest"]
    assert lines(folder) == lines(tmp_path / "whole")


@pytest.mark.parametrize("way", [{}, WAYS[7]], ids=["fixed steps", IDS[7]])
def test_a_last_line_that_a_crash_of_the_machine_took_is_written_again(way, start, go_on, tmp_path) -> None:
    case = {"game": GAME, "rounds": 30, "regularization": 0.02, "learning_rate": 0.1} | way
    expected = go_on(start("whole", **case))
    folder = start(**case)
    assert go_on(folder, on_line=interrupt_at(20))["state"] == "interrupted"
    record = folder / "metrics.jsonl"
    written = record.read_bytes().splitlines(keepends=True)
    held = max(RunFolder(folder).held()[0])
    record.write_bytes(b"".join(written[: held - 1]))  # an agent is an update ahead of what is left
    assert go_on(folder)["policy_digest"] == expected["policy_digest"]
    assert lines(folder) == lines(tmp_path / "whole")


@pytest.mark.parametrize(
    ("way", "launcher"),
    [*((way, "memory") for way in WAYS), (WAYS[5], "local"), (WAYS[7], "local")],
    ids=[*IDS, f"{IDS[5]}-processes", f"{IDS[7]}-processes"],
)
def test_the_trace_is_what_the_recomputed_run_comes_to(way, launcher, start, go_on) -> None:
    folder = start(game=GAME, rounds=12, regularization=0.02, trace=True, save_policy=True, **way)
    go_on(folder, launcher)
    proof = check_trace(read_trace(folder / "trace"), done=True)
    check_reference(folder, proof)
    assert proof.updates == 36


def test_a_run_record_that_was_changed_ends_the_run_and_says_so(start, go_on) -> None:
    folder = start(game=GAME, rounds=60, step_size="backtracking")
    go_on(folder, on_line=interrupt_at(30))
    kept = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)[:5]
    (folder / "metrics.jsonl").write_text("".join(kept))
    summary = go_on(folder)
    assert summary["state"] == "failed"
    assert "go on at round 5, where its record ends" in summary["why"]


def test_natural_and_plain_directions_lead_to_the_same_best_policy(start, go_on) -> None:
    found = []
    for way in ({"step_size": "backtracking"}, {"step_size": "backtracking", "direction": "natural"}):
        folder = start(way.get("direction", "gradient"), game="penalty", dag="0-1", rounds=300,
                       learning_rate=0.1, regularization=0.1, save_policy=True, **way)  # fmt: skip
        go_on(folder)
        found.append(load_policy(folder / "policy.npz"))
    for one, other in zip(found[0].thetas, found[1].thetas, strict=True):
        assert np.allclose(one, other, atol=1e-3)
