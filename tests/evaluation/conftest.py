"""Small runs without pictures, policies as files, and `bnpg evaluate` as a function."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpg.__main__ import main
from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.launch import Launch, OnLine
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import create_run_folder
from bnpg.run_folder import RunFolder
from bnpg_math.dag.text import parse_dag
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.file import save_policy
from bnpg_math.policies.joint import Policy
from bnpg_math.policies.softmax import theta_shape

Start = Callable[..., Path]


@pytest.fixture
def go_on() -> Callable[..., dict[str, Any]]:
    """Return what runs what is in a folder, or goes on with it, and returns the summary."""

    def run(
        folder: Path,
        launcher: str = "memory",
        on_line: OnLine = lambda line: None,
        launch: Launch | None = None,
    ) -> dict[str, Any]:
        settings = LaunchSettings(launcher=launcher, fsync=False)
        return execute(
            RunFolder(folder), settings, launch or find_launcher(launcher), on_line, curves=False
        ).summary

    return run


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return what makes the folder of a new run."""

    def make(name: str = "run", **fields: Any) -> Path:
        asked = {field.replace("_", "-"): value for field, value in fields.items()}
        plan = plan_experiment({"mode": "exact"} | asked)
        return create_run_folder(plan, LaunchSettings(launcher="memory", fsync=False), tmp_path / name).path

    return make


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a random policy for a game into a file."""

    def write(game: str, dag: str = "line", seed: int = 0) -> Path:
        played = find_game(game)
        edges = parse_dag(dag, played.agents)
        rng = np.random.default_rng(seed)
        shapes = [
            theta_shape(played.states, played.actions, edges.parents[agent], agent)
            for agent in range(played.agents)
        ]
        path = tmp_path / f"policy-{seed}.npz"
        save_policy(Policy(edges, tuple(rng.normal(size=shape) for shape in shapes)), path)
        return path

    return write


@pytest.fixture
def evaluate(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Return `bnpg evaluate --json`."""

    def run(*options: object) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["evaluate", *map(str, options), "--json", "--quiet"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=_refuse)
        return found

    return run


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
