"""A run folder that a test lets grow, and coordinators that are not there."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import create_run_folder

AGENT = {"incarnation": 1, "heard_seconds_ago": 0.1, "phase": "running", "round": 1, "step": 0, "lacks": []}


class GrowingRun:
    """A run whose coordinator is the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._delivered = 0

    def line(self, round_: int, **numbers: float) -> None:
        measured = {"value": 5.0 + round_, "optimality_gap": 6.0 - round_, "nash_gap": 0.5} | numbers
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"round": round_, "seconds": 0.5} | measured) + "\n")

    def status(self, **changes: Any) -> None:
        self._delivered += 50
        told = {
            "phase": "running",
            "round": 1,
            "rounds": 5,
            "step": 0,
            "generation": 1,
            "waiting_for": "the actions of agent 1",
            "awaited": [1],
            "team": 2,
            "edges": [[0, 1]],
            "agents": {"0": AGENT, "1": AGENT},
            "delivered": self._delivered,
            "retransmitted": 0,
            "duplicates": 0,
            "refused": {},
            "written": time.time() + 3600.0,  # nobody renews it while the test looks on
        }
        content = json.dumps(told | changes)
        (self.folder / "status.json.new").write_text(content)
        (self.folder / "status.json.new").rename(self.folder / "status.json")

    def end(self) -> None:
        summary = {"state": "done", "why": "all rounds are done", "rounds": 5}
        (self.folder / "summary.json").write_text(json.dumps(summary))
        self.status(phase="ended", round=5)


@pytest.fixture
def growing(tmp_path: Path) -> GrowingRun:
    plan = plan_experiment({"game": "climbing", "rounds": 5, "dag": "line"})
    return GrowingRun(create_run_folder(plan, LaunchSettings(), tmp_path / "run").path)


Grow = Callable[[], GrowingRun]
