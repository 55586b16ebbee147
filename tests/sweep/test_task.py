"""How one run of a sweep ends where the machine does not give what it needs."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.sweeps import task


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
