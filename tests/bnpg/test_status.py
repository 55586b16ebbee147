"""`bnpg status` says who is up, where in the run, and who is waited for."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.process.telemetry import Telemetry
from click.testing import CliRunner, Result

from bnpg.__main__ import main
from bnpg.cli.root import bnpg
from bnpg.watch import answers

STATUS: dict[str, Any] = {
    "phase": "running",
    "round": 3,
    "rounds": 10,
    "step": 2,
    "waiting_for": "the actions of agent 1",
    "agents": {"1": {"phase": "running", "round": 2, "step": 0, "incarnation": 2, "heard_seconds_ago": 7.5}},
    "refused": {"malformed": 5},
    "turned_away": {"key not allowed": 6},
}


def status(*arguments: str) -> Result:
    return CliRunner().invoke(bnpg, ["status", *arguments])


def written(folder: Path, seconds_ago: float) -> str:
    (folder / "status.json").write_text(json.dumps(STATUS | {"written": time.time() - seconds_ago}))
    return str(folder)


def test_of_a_folder(tmp_path: Path) -> None:
    shown = status(written(tmp_path, 0.0)).output
    assert "running: round 3 of 10, step 2" in shown
    assert "waiting for the actions of agent 1" in shown
    assert "agent   1  running   round 2, step 0, start 2, heard 7.5 s before" in shown
    assert "5 messages refused: malformed" in shown
    assert "6 connections turned away: key not allowed" in shown


def test_of_a_folder_nobody_writes_to_any_more(tmp_path: Path) -> None:
    told = json.loads(status(written(tmp_path, 60.0), "--json").output)
    assert told["up"] is False
    assert "nobody has renewed this" in status(written(tmp_path, 60.0)).output


def test_of_a_run_that_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    experiment = ["coordination(agents=2)", "--rounds", "2", "--lanes", "2", "--horizon", "2"]
    assert main(["train", *experiment, "--launcher", "memory", "--out", str(folder), "--quiet"]) == 0
    told = json.loads(status(str(folder), "--json").output)
    assert (told["phase"], told["up"], told["state"]) == ("ended", False, "done")
    assert {agent["phase"] for agent in told["agents"].values()} == {"left"}
    shown = status(str(folder)).output
    assert "ended: round 2 of 2, step 0; done: all rounds are done" in shown
    assert "running" not in shown


def test_of_agents_that_were_not_let_in(tmp_path: Path) -> None:
    rejected = {"1": "experiment: expected a, got b", "-2": "full: expected 2 agents, got one more"}
    told = STATUS | {"written": time.time(), "rejected": rejected}
    (tmp_path / "status.json").write_text(json.dumps(told))
    shown = status(str(tmp_path)).output
    assert "agent 1 was rejected (experiment: expected a, got b)" in shown
    assert "an agent without an id was rejected (full: expected 2 agents, got one more)" in shown


FORGED = "\x1b]0;owned\x07\x1b[31m\n  agent   9  running   round 1\r\u2028\x85"


@pytest.mark.parametrize("field", ["phase", "waiting_for", "agents", "rejected", "refused"])
def test_what_a_peer_says_reaches_no_terminal(field: str, tmp_path: Path) -> None:
    told: dict[str, Any] = STATUS | {"written": time.time()}
    agent = STATUS["agents"]["1"]
    odd = {
        "agents": {"1": agent | {"phase": FORGED}},
        "rejected": {"1": FORGED},
        "refused": {FORGED: 1},
    }
    told |= {field: odd.get(field, FORGED)}
    (tmp_path / "status.json").write_text(json.dumps(told))
    shown = status(str(tmp_path)).output
    assert "owned" in shown
    assert all(line.isprintable() for line in shown.split("\n"))
    assert not any(line.startswith("  agent   9") for line in shown.split("\n"))


def test_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnpg.watch.answers.ANSWER", 60.0)
    watched = Telemetry("127.0.0.1:0")
    try:
        watched.turn(time.monotonic(), lambda: STATUS)
        told = json.loads(status(watched.address, "--json").output)
    finally:
        watched.close()
    assert told["up"] is True
    assert told["waiting_for"] == "the actions of agent 1"


def test_of_nothing_is_one_line_and_exit_2(tmp_path: Path, capfd) -> None:
    for where in (str(tmp_path), "127.0.0.1:1", "neither"):
        assert main(["status", where]) == 2
        assert len(capfd.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "answer", ["", "[1]", '"x"', "{" * 9000, '{"agents": 3}', '{"agents": {"x": {}}}', '{"refused": [1]}']
)
def test_of_who_is_no_process_of_a_run(monkeypatch: pytest.MonkeyPatch, capfd, answer: str) -> None:
    monkeypatch.setattr(answers, "fetch", lambda _address, _path: answer.encode())
    assert main(["status", "127.0.0.1:7777"]) == 2
    told = capfd.readouterr().err
    assert told == (
        "bnpg: error: 127.0.0.1:7777: expected a run folder, or HOST:PORT given to --metrics-listen; "
        "what answers there is no process of a run\n"
    )
