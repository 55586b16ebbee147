"""A trace shows that no update was reported before its sealed checkpoint was given away."""

from pathlib import Path
from typing import Any

import pytest
from bnpg_agents.machine import AgentMachine
from bnpg_protocol.process.security.seal_key import write_seal_key

import bnpg
from bnpg.lab.proof.check import Proof, check_trace
from bnpg.trace.reading import Violation, read_trace


def traced(folder: Path) -> Proof:
    key = folder.with_suffix(".seal")
    write_seal_key(key)
    bnpg.train(
        "coordination(agents=2)",
        rounds=3,
        lanes=2,
        horizon=2,
        launcher="memory",
        seal=str(key),
        trace=True,
        out=folder,
    )
    return check_trace(read_trace(folder / "trace"), done=True)


def test_every_update_is_sealed_before_it_is_reported(tmp_path: Path) -> None:
    proof = traced(tmp_path / "run")
    told = [
        (event.line.kind, event.round)
        for life in proof.run.all
        if life.agent == 1
        for event in life.events
        if getattr(event.line, "kind", "") in ("CheckpointSealed", "SignalApplied")
    ]
    assert told == [
        ("CheckpointSealed", 0),
        *(pair for at in range(3) for pair in (("CheckpointSealed", at + 1), ("SignalApplied", at))),
    ]


def test_an_agent_that_reports_before_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = AgentMachine._seal

    def forgetful(self: AgentMachine, round_: int, now: float) -> list[Any]:
        return [] if round_ == 2 else honest(self, round_, now)

    monkeypatch.setattr(AgentMachine, "_seal", forgetful)
    with pytest.raises(Violation, match="before it has given its sealed checkpoint away"):
        traced(tmp_path / "run")
