"""Pools whose engine is played by a stand-in: how they count what their workers leave undone."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers.settings import LaunchSettings
from bnpg.sweeps import ray_pool, slurm_pool
from bnpg.sweeps.grid import read_grid
from bnpg.sweeps.pool import Ending, Listener, Surroundings, Task
from bnpg.sweeps.running import run_sweep
from bnpg_math.errors import InputError

TOLD_TO_END = int(ExitCode.INTERRUPTED), "interrupted"


class Heard:
    def __init__(self) -> None:
        self.endings: dict[int, Ending] = {}

    def round_done(self, number: int, round_: int) -> None:
        pass

    def run_ended(self, number: int, ending: Ending) -> None:
        assert number not in self.endings
        self.endings[number] = ending


class Idle:
    """A pool that runs nothing, and says no word of it."""

    def __init__(self, _jobs: int, _listener: Listener, _surroundings: Surroundings) -> None:
        pass

    def run(self, _tasks: Sequence[Task]) -> bool:
        return False


class Ray:
    """Actors that answer with what comes next."""

    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self, answers: list[tuple[int, str]]) -> None:
        self._answers = iter(answers)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1}

    def remote(self, **_options: Any) -> Any:
        run = SimpleNamespace(remote=lambda _content: object())
        return lambda _kind: SimpleNamespace(remote=lambda: SimpleNamespace(run=run))

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        assert timeout > 0
        return references, []

    def get(self, _reference: Any) -> tuple[int, str]:
        return next(self._answers)

    def kill(self, _actor: Any) -> None:
        pass


def test_a_run_that_no_pool_has_done_is_a_failed_one(grid_file: Path) -> None:
    ended = run_sweep(
        read_grid(grid_file), Path("idle"), 2, LaunchSettings(launcher="memory"), quiet=True, make_pool=Idle
    )
    assert (ended.done, len(ended.failed), ended.interrupted) == (0, ended.runs, False)
    assert set(ended.failed.values()) == {"it is not done, but missing"}


@pytest.mark.parametrize(
    ("answers", "ending"),
    [
        ([TOLD_TO_END, (0, "")], Ending(ExitCode.DONE, "")),
        (
            [TOLD_TO_END] * 3,
            Ending(ExitCode.PEER_FAILED, "its actor was interrupted by somebody else, as did 2 before it"),
        ),
    ],
)
def test_a_run_whose_actor_is_told_to_end_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, str]], ending: Ending
) -> None:
    monkeypatch.setattr(ray_pool, "connected", lambda _address: Ray(answers))
    heard = Heard()
    assert not ray_pool.RayPool(1, heard, Surroundings(Path())).run([Task(0, {})])
    assert heard.endings == {0: ending}


def test_an_element_that_is_told_to_end_leaves_its_run_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    codes = iter((ExitCode.DONE, ExitCode.INTERRUPTED))
    monkeypatch.setattr(slurm_pool, "run_task", lambda _content: {"code": int(next(codes)), "why": ""})
    slurm_pool.run_tasks([(number, {}) for number in range(3)], str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["ended-0"]


class Refusing:
    """Submitit where Slurm takes no jobs."""

    def __init__(self, folder: Path) -> None:
        assert folder.name == "jobs"

    def update_parameters(self, **_options: Any) -> None:
        pass

    def map_array(self, *_given: Any) -> list[Any]:
        print("sbatch: error: invalid partition", file=sys.stderr)
        raise RuntimeError("sbatch: error: invalid partition\nsbatch: error: no jobs")


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_pool.shutil, "which", lambda _name: "sbatch")
    monkeypatch.setitem(sys.modules, "submitit", SimpleNamespace(SlurmExecutor=Refusing))


@pytest.mark.usefixtures("slurm")
def test_what_sbatch_refuses_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pool = slurm_pool.SlurmPool(1, Heard(), Surroundings(tmp_path))
    with pytest.raises(InputError) as raised:
        pool.run([Task(0, {})])
    said = "sbatch: error: invalid partition sbatch: error: no jobs"
    assert str(raised.value) == f"--engine slurm: Slurm takes no jobs: {said}"
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("slurm")
def test_a_file_in_the_place_of_the_folder_of_jobs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slurm").touch()
    with pytest.raises(InputError, match="slurm cannot be made: File exists"):
        slurm_pool.SlurmPool(1, Heard(), Surroundings(tmp_path)).run([Task(0, {})])


class Accepting(Refusing):
    """Submitit where Slurm takes jobs, and has run them by the time it has said so."""

    def map_array(self, work: Any, shares: list[Any], folders: list[str]) -> list[Any]:
        for share, folder in zip(shares, folders, strict=True):
            work(share, folder)
        return [SimpleNamespace(job_id=f"77_{at}", cancel=lambda: None) for at in range(len(shares))]


SQUEUE = """#!/bin/sh
case "$*" in *--jobs=41" "*) [ -e there ] && { cat there; exit 0; } ;; esac
echo "slurm_load_jobs error: Invalid job id specified" >&2
exit 1
"""
SCANCEL = """#!/bin/sh
echo "$@" >> cancelled
[ -e stays ] || rm there
"""


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, here: Path) -> Path:
    """Return the folder of a sweep with job 41, in a queue of stand-ins; the file `there` is its state."""
    commands = here / "commands"
    commands.mkdir()
    for name, text in {"sbatch": "", "squeue": SQUEUE, "scancel": SCANCEL}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "submitit", SimpleNamespace(SlurmExecutor=Accepting))
    monkeypatch.setattr(slurm_pool, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(slurm_pool, "run_task", lambda _content: {"code": 0, "why": ""})
    before = here / "sweep" / "slurm" / "before"
    before.mkdir(parents=True)
    (before / "array-41").touch()
    (before / "ended-0").write_text("2 it is in use")
    return here / "sweep"


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "COMPLETED", ""])
def test_an_array_that_a_killed_sweep_left_is_cancelled_first(queue: Path, state: str) -> None:
    if state:
        Path("there").write_text(f"{state}\n")
    heard = Heard()
    assert not slurm_pool.SlurmPool(1, heard, Surroundings(queue)).run([Task(0, {})])
    assert heard.endings == {0: Ending(ExitCode.DONE, "")}
    assert Path("cancelled").exists() == (state in ("RUNNING", "PENDING"))
    assert not Path("cancelled").exists() or Path("cancelled").read_text() == "--name=bnpg-sweep 41\n"
    (attempt,) = (queue / "slurm").iterdir()
    assert (attempt / "array-77").exists(), "the next one knows of it"


def test_an_array_that_does_not_end_is_named(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("there", "stays"):
        Path(name).write_text("RUNNING\n")
    monkeypatch.setattr(slurm_pool, "GONE", 0.0)
    heard = Heard()
    with pytest.raises(InputError, match="job 41 of this sweep, which was killed before, is still there"):
        slurm_pool.SlurmPool(1, heard, Surroundings(queue)).run([Task(0, {})])
    assert heard.endings == {}


def test_an_element_whose_sweep_has_gone_on_without_it_ends_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran, folder = [], tmp_path / "attempt"
    folder.mkdir()

    def run_task(content: dict[str, Any]) -> dict[str, Any]:
        ran.append(content)
        folder.rmdir()
        return {"code": 2, "why": "it is in use"}

    monkeypatch.setattr(slurm_pool, "run_task", run_task)
    slurm_pool.run_tasks([(0, {}), (1, {})], str(folder))
    assert len(ran) == 1
    assert list(tmp_path.iterdir()) == []
