"""The file that a coordinator writes its address to is one, whatever somebody named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bnpg_coordinator.shell import _endpoint_file
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.__main__ import main
from bnpg_math.errors import InputError


def test_in_the_run_folder_the_address_of_the_next_coordinator_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest moment: the address is in a draft, and the process sleeps before it renames that."""
    run, address = tmp_path / "run", tmp_path / "run" / "coordinator.endpoint"
    words = "--rounds 3 --lanes 2 --horizon 2 --launcher memory --no-fsync --quiet --out"
    assert main(["train", "climbing", *words.split(), str(run)]) == 0
    experiment = run / "experiment.toml"
    experiment.write_text(experiment.read_text().replace("rounds = 3", "rounds = 5"))
    rename = os.replace

    def asleep(source: str, target: Path) -> None:
        if Path(target).resolve() == address:
            Fence.raise_in(run)
            address.write_text("tcp://127.0.0.1:7000")
        rename(source, target)

    monkeypatch.setattr("bnpg_protocol.process.files.os.replace", asleep)
    monkeypatch.chdir(run)
    options = ["--listen", "tcp://127.0.0.1:*", "--endpoint-file", "coordinator.endpoint"]
    assert main(["coordinator", str(run), *options]) == ExitCode.STORAGE
    assert address.read_text() == "tcp://127.0.0.1:7000"


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    words = "--rounds 3 --lanes 2 --horizon 2 --launcher memory --no-fsync --quiet --out"
    assert main(["train", "climbing", *words.split(), str(tmp_path / "run")]) == 0
    experiment = tmp_path / "run" / "experiment.toml"
    experiment.write_text(experiment.read_text().replace("rounds = 3", "rounds = 5"))
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-P", "-m", "bnpg", "coordinator", str(tmp_path / "run")]
    command += ["--listen", "tcp://127.0.0.1:*", "--endpoint-file", str(tmp_path / "pipe")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=250,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "--endpoint-file" in done.stderr
    assert "expected a regular file there or nothing" in done.stderr
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_is_followed_and_a_folder_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "address")
    assert _endpoint_file(tmp_path / "link") == tmp_path / "address"
    assert _endpoint_file(tmp_path / "fresh") == tmp_path / "fresh"
    with pytest.raises(InputError, match="Is a directory"):
        _endpoint_file(tmp_path)
