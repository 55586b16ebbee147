"""A run is not continued on a host that rounds differently: neither host would have given its bits."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnpg import rounding
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.settings import LaunchSettings
from bnpg.rounding import rounding_here
from bnpg.run_creation import create_run_folder
from bnpg.run_folder import RunFolder
from bnpg_math.arrays.numerics import fingerprint

OTHER = "0" * 16 + "-" + "1" * 16


@pytest.fixture
def begun(here: Path) -> Path:
    """The folder of a run of which no round was played."""
    plan = plan_experiment({"game": "climbing", "mode": "exact", "rounds": 3})
    create_run_folder(plan, LaunchSettings(launcher="memory", fsync=False), here / "run")
    return Path("run")


def changed(folder: Path, **fields: Any) -> None:
    file = folder / "run.json"
    content = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_who_computed_is_in_every_file_that_says_what_a_run_is(run: Callable[..., Any], begun: Path) -> None:
    assert run("resume", begun).code == 0
    for file in ("run.json", "summary.json"):
        assert json.loads((begun / file).read_text())["numerics"] == rounding_here()
    for agent in range(2):
        content = json.loads((begun / f"agents/agent-{agent}/agent.json").read_text())
        assert content["numerics"] == fingerprint()


def test_a_run_that_began_on_another_kind_of_host_is_refused_and_nothing_is_touched(
    refused: Callable[..., str], begun: Path
) -> None:
    changed(begun, numerics=OTHER)
    before = {file: file.read_bytes() for file in begun.rglob("*") if file.is_file()}
    for command in (["resume"], ["coordinator", "--listen", "tcp://127.0.0.1:0"]):
        line = refused(*command, begun)
        assert "run was begun on a host whose floating point rounds differently" in line
        assert f"expected {rounding_here()} as here, got {OTHER}" in line
    assert before == {file: file.read_bytes() for file in begun.rglob("*") if file.is_file()}


def test_another_numpy_is_named(refused: Callable[..., str], begun: Path) -> None:
    changed(begun, numerics=OTHER, numpy="1.0")
    assert "rounds differently (numpy 1.0 there, " in refused("resume", begun)


def test_a_finished_run_is_shown_anywhere(run: Callable[..., Any], begun: Path) -> None:
    assert run("resume", begun).code == 0
    changed(begun, numerics=OTHER)
    assert run("resume", begun).code == 0


def test_a_folder_that_does_not_say_is_continued_with_one_line(run: Callable[..., Any], begun: Path) -> None:
    changed(begun, numerics=None)
    ended = run("resume", begun, "--quiet")
    assert ended.code == 0
    (line,) = ended.err.splitlines()
    assert line.startswith("bnpg: warning: run does not say how the host rounded on which this run began")
    assert json.loads((begun / "summary.json").read_text())["numerics"] == rounding_here()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernel named is one of x86-64")
def test_another_kernel_of_blas_is_another_host(begun: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bnpg", "resume", str(begun), "--json"],
        env=os.environ | {"OPENBLAS_CORETYPE": "Prescott"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert "rounds differently" in line
    assert not (begun / "metrics.jsonl").exists()


def test_a_program_with_more_threads_is_no_other_host() -> None:
    program = "import numpy, scipy.linalg; from bnpg.rounding import rounding_here; print(rounding_here())"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "4"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.strip() == rounding_here()


def test_the_check_compares_all_digits(monkeypatch: pytest.MonkeyPatch, begun: Path) -> None:
    here = rounding_here()
    rounding.check_rounding(RunFolder(begun))
    monkeypatch.setattr(rounding, "full_fingerprint", lambda: here[:-1] + "x")
    with pytest.raises(ValueError, match="rounds differently"):
        rounding.check_rounding(RunFolder(begun))
