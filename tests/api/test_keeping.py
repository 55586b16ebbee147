"""What of a run stays on disk: nothing unless asked for; and what ends a run from Python."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnpg

EXACT: dict[str, Any] = {"mode": "exact", "rounds": 6, "learning_rate": 0.5}


FORKS = """
import os, sys, bnpg
run = bnpg.train("climbing", mode="exact", rounds=1)
child = os.fork()
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(run.folder.exists())
"""
FORKS_AT_A_LINE = """
import os, sys, bnpg
def forks(line):
    child = os.fork()
    if child == 0:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
run = bnpg.train("climbing", mode="exact", rounds=1, on_line=forks)
print(run.folder.exists())
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_a_run_that_was_given_no_folder_leaves_nothing_on_disk(
    here: Path, scratch: Path, launcher: str
) -> None:
    run = bnpg.train("climbing", launcher=launcher, **EXACT)
    assert run.folder.is_relative_to(scratch)
    assert not (run.folder / "curves.png").exists()
    policy = run.policy
    del run
    assert list(scratch.iterdir()) == []
    assert [one for one in here.iterdir() if one != scratch] == []
    assert policy.tables[0].shape == (1, 3)


@pytest.mark.parametrize("program", [FORKS, FORKS_AT_A_LINE])
def test_a_fork_of_the_program_that_ends_takes_no_run_along(scratch: Path, program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        env={"TMPDIR": str(scratch)}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr
    assert list(scratch.iterdir()) == [], "the program itself takes it along"


def test_a_run_can_be_kept_later(scratch: Path, tmp_path: Path) -> None:
    run = bnpg.train("climbing", **EXACT)
    kept = bnpg.load_run(run.save(tmp_path / "deep" / "kept"))
    assert kept == run
    assert kept.summary is not None
    assert kept.summary["run_dir"] == str(tmp_path / "deep" / "kept")
    with pytest.raises(bnpg.InputError, match="never overwritten"):
        run.save(tmp_path / "deep" / "kept")
    with pytest.raises(bnpg.InputError, match="cannot make the run folder"):
        run.save("/proc/kept")


def test_what_is_refused_leaves_no_temporary_folder(scratch: Path) -> None:
    with pytest.raises(bnpg.InputError):
        bnpg.train("climbing", environment_workers=2)
    assert list(scratch.iterdir()) == []


def test_an_error_of_the_programs_own_leaves_no_temporary_folder(scratch: Path) -> None:
    def wrong(line: dict[str, Any]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bnpg.train("climbing", on_line=wrong, **EXACT)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_on_line_ends_a_run_in_order_and_it_can_go_on(tmp_path: Path, launcher: str) -> None:
    longer = EXACT | {"rounds": 300, "evaluate_every": 0}
    seen = []

    def enough(line: dict[str, Any]) -> bool:
        seen.append(line["round"])
        return len(seen) >= 3

    run = bnpg.train("climbing", out=tmp_path / "run", launcher=launcher, on_line=enough, **longer)
    assert run.summary is not None
    assert run.summary["state"] == "interrupted"
    assert run.rounds < 300
    if launcher == "memory":  # that processes go on is tested where they are killed
        assert bnpg.resume(tmp_path / "run").policy.digest == bnpg.train("climbing", **longer).policy.digest


def test_only_true_ends_a_run() -> None:
    assert bnpg.train("climbing", on_line=lambda line: line, **EXACT).rounds == 6  # type: ignore[arg-type,return-value]


def test_a_cell_that_is_run_again_finds_its_run(tmp_path: Path) -> None:
    def cell(**changes: Any) -> bnpg.Run:
        return bnpg.train("climbing", out=tmp_path / "run", exist_ok=True, **(EXACT | changes))

    first = cell()
    written = (tmp_path / "run" / "summary.json").stat().st_mtime_ns
    assert cell() == first
    assert (tmp_path / "run" / "summary.json").stat().st_mtime_ns == written
    with pytest.raises(bnpg.InputError, match="holds another run: its rounds is 6, expected 7"):
        cell(rounds=7)
    with pytest.raises(bnpg.InputError, match="never overwritten"):
        bnpg.train("climbing", out=tmp_path / "run", **EXACT)


def test_a_run_that_was_stopped_goes_on_where_it_may_exist(tmp_path: Path) -> None:
    options = EXACT | {"rounds": 300, "out": tmp_path / "run", "exist_ok": True}
    assert bnpg.train("climbing", on_line=lambda line: True, **options).rounds < 300
    assert bnpg.train("climbing", **options).rounds == 300


def test_another_game_of_the_same_name_is_another_run(tmp_path: Path) -> None:
    options = EXACT | {"out": tmp_path / "run", "exist_ok": True}
    one, other = (bnpg.game_from(np.array([[pay, 0.0], [0.0, 1.0]]), name="own") for pay in (1.0, 2.0))
    bnpg.train(one, **options)
    with pytest.raises(bnpg.InputError, match="its game has other numbers"):
        bnpg.train(other, **options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"environment_workers": 2}, "environment_workers step environments"),
        ({"step_size": "backtracking"}, "step_size backtracking needs mode exact"),
        ({"launcher": "slurm"}, "launcher slurm: expected an allocation"),
    ],
)
def test_messages_name_arguments_not_options(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr("bnpg.launchers.slurm.shutil.which", str)  # as if Slurm's commands were there
    monkeypatch.delenv("SLURM_JOB_NODELIST", raising=False)
    with pytest.raises(bnpg.InputError, match=f"^{words}") as error:
        bnpg.train("climbing", **arguments)
    assert "--" not in str(error.value)


def test_what_is_said_of_a_file_stays_as_the_file_has_it(here: Path) -> None:
    Path("own.toml").write_text("game = 'climbing'\nlearning_rate = 0.5\n")
    with pytest.raises(bnpg.InputError, match="did you mean 'learning-rate'"):
        bnpg.train("own.toml")


@pytest.mark.parametrize("name", ["InputError", "GameError", "DagError", "PolicyError", "RunFailed"])
def test_errors_are_named_as_they_are_caught(name: str) -> None:
    kind = getattr(bnpg, name)
    assert f"{kind.__module__}.{kind.__qualname__}" == f"bnpg.{name}"
    assert issubclass(kind, ValueError) == (name != "RunFailed")
