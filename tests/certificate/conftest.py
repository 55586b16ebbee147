"""Small runs in memory, and the two ways to check their certificates."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnpg.__main__ import main
from bnpg.certified import exact_check
from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import create_run_folder

Checked = tuple[int, dict[str, Any], str]


@pytest.fixture
def done(tmp_path: Path) -> Callable[..., Path]:
    """Return what makes a run that is done."""

    def make(name: str = "run", **fields: Any) -> Path:
        asked = {field.replace("_", "-"): value for field, value in fields.items()}
        settings = LaunchSettings(launcher="memory", fsync=False)
        plan = plan_experiment({"mode": "exact", "rounds": 3, "initial": "normal"} | asked)
        run = create_run_folder(plan, settings, tmp_path / name)
        execute(run, settings, find_launcher("memory"), lambda line: None, curves=False)
        return run.path

    return make


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], Checked]:
    """Return `bnpg certificate check RUN --json`: its exit code, its object, what it says."""

    def run(folder: Path) -> Checked:
        capsys.readouterr()
        code = main(["certificate", "check", str(folder), "--json"])
        heard = capsys.readouterr()
        return code, json.loads(heard.out) if heard.out else {}, heard.err

    return run


@pytest.fixture
def script() -> Callable[[Path], Checked]:
    """Return the stand-alone script, in a Python that sees neither site packages nor the environment."""

    def run(folder: Path) -> Checked:
        file = str(Path(exact_check.__file__).absolute())
        ran = subprocess.run(
            [sys.executable, "-I", "-S", file, str(folder.absolute()), "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.returncode, json.loads(ran.stdout) if ran.stdout else {}, ran.stderr

    return run
