"""Where a coordinator cannot listen, its last word is why, and it leaves nothing behind."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bnpg.__main__ import main
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import create_run_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return the lines that a coordinator says which does not start."""
    assert main(["coordinator", *arguments]) == 2
    return capsys.readouterr().err.splitlines()


def place(port: int) -> dict[str, tuple[str, str]]:
    return {
        "a port in use": (f"tcp://127.0.0.1:{port}", "Address already in use"),
        "a missing folder, ipc": ("ipc://nowhere/front", "No such file or directory"),
        "a missing folder, unix": ("unix://nowhere/front", "No such file or directory"),
        "a path that is too long, ipc": (f"ipc://{'x' * 200}", "is longer than 107 characters"),
        "a path that is too long, unix": (f"unix://{'x' * 200}", "too long"),
        "a file": ("ipc://file", "is there and is no socket"),
    }


@pytest.mark.parametrize("what", place(0))
def test_it_says_so_and_makes_no_run_folder(
    here: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    (here / "file").write_text("somebody's")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen, why = place(taken.getsockname()[1])[what]
        [line] = said(capsys, "climbing", "--listen", listen, "--out", "run")
    assert line.startswith(f"bnpg: error: cannot listen on {listen}: ")
    assert why in line
    assert [path.name for path in here.iterdir()] == ["file"]


def test_of_a_run_that_is_there_the_last_word_is_the_reason(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_experiment({"game": "climbing", "rounds": 2})
    create_run_folder(plan, LaunchSettings(), here / "run")
    (here / "file").write_text("somebody's")
    last = said(capsys, "run", "--listen", "unix://file")[-1]
    assert last == (
        "bnpg: error: cannot listen on unix://file: file is there and is no socket; the run so far is in run"
    )


@pytest.mark.parametrize(
    ("put", "why"), [(os.mkfifo, "expected a regular file there or nothing"), (os.mkdir, "Is a directory")]
)
def test_what_is_no_file_stays_where_the_endpoint_is_to_be_written(
    here: Path, capsys: pytest.CaptureFixture[str], put: Callable[[Path], None], why: str
) -> None:
    put(here / "endpoint")
    before = os.lstat(here / "endpoint")
    told = ("--listen", "tcp://127.0.0.1:0", "--patience", "0.1", "--endpoint-file", "endpoint")
    [line] = said(capsys, "climbing", "--out", "run", *told)
    assert line.startswith("bnpg: error: --endpoint-file endpoint cannot be written: ")
    assert why in line
    assert os.path.samestat(os.lstat(here / "endpoint"), before)
    assert not (here / "run").exists()
