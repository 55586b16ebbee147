"""How one run of a sweep ends where somebody else has it, or the machine does not give what it needs."""

import errno
import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers.settings import LaunchSettings
from bnpg.lease import lease
from bnpg.run_creation import create_run_folder
from bnpg.sweeps import task
from bnpg.sweeps.grid import plan_of, read_grid


class Ends(threading.Event):
    """What a task waits for while its run is in use: the other one lets go of it, or the sweep ends."""

    def __init__(self, others: ExitStack, ends: bool) -> None:
        super().__init__()
        self._others, self._ends = others, ends

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout > 0, "it does not wait busily"
        self._others.close()
        return self._ends


@pytest.fixture
def begun(grid_file: Path) -> dict[str, Any]:
    """The first run of a sweep, whose folder is there."""
    grid = read_grid(grid_file)
    first, settings = grid.runs[0], LaunchSettings(launcher="memory", fsync=False)
    content = {
        "folder": str(Path("run").absolute()), "fields": grid.fields(first), "base": str(grid.folder),
        "digest": first.digest, "rounds": first.experiment.rounds, "settings": msgspec.to_builtins(settings),
    }  # fmt: skip
    create_run_folder(plan_of(content["fields"], grid.folder, first.digest), settings, Path("run"))
    return content


@pytest.mark.parametrize(("ends", "code"), [(False, ExitCode.DONE), (True, ExitCode.INTERRUPTED)])
def test_a_run_that_the_worker_of_a_dead_sweep_still_has_is_waited_for(
    begun: dict[str, Any], ends: bool, code: ExitCode
) -> None:
    with ExitStack() as others:
        others.enter_context(lease(Path("run")))
        ended = task.run_task(begun, ending=Ends(others, ends))
    assert ended["code"] == code, ended["why"]


def test_a_run_that_stays_in_use_is_a_failed_one(
    begun: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "IN_USE", 0.0)
    with lease(Path("run")):
        ended = task.run_task(begun)
    assert ended["code"] == ExitCode.USAGE
    assert "run is in use: another bnpg process is running this run" in ended["why"]


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (errno.EMFILE, ExitCode.STORAGE, "too many open files"),
        (errno.EACCES, ExitCode.USAGE, "place cannot be used: Permission denied"),
        (errno.ECHILD, ExitCode.INTERNAL, "a defect of bnpg, please report it: ChildProcessError"),
    ],
)
def test_what_the_machine_refuses_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, number: int, code: ExitCode, says: str
) -> None:
    def begun(*_given: Any) -> None:
        raise OSError(number, os.strerror(number), "place")

    monkeypatch.setattr(task, "_begun", begun)
    ended = task.run_task({"folder": str(Path("run")), "settings": {}})
    assert ended["code"] == code
    assert says in ended["why"]
