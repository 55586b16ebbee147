"""An old life of any process, woken after its run went on without it, changes nothing and ends quietly."""

import errno
import fcntl
import importlib
import os
import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest
from bnpg_agents.checkpoint import CheckpointFolder
from bnpg_agents.snapshot import Snapshot
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.__main__ import main
from bnpg.run_folder import RunFolder
from bnpg_math.arrays.named import Arrays

CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "rounds": 100,
    "lanes": 8,
    "horizon": 3,
    "initial": "normal",
    "trace": True,
    "save_policy": True,
}


PLAYED = {key: value for key, value in CASE.items() if key not in ("trace", "save_policy")}


def everything(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return every file with its content, and when and as what it was written."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["coordinator", "agent-1"])
def test_woken_after_the_run_was_resumed_to_its_end(name: str, start_run: Any, play: Any) -> None:
    run = start_run(**CASE, settings={"fsync": False})
    run.until_round(20)
    old: psutil.Process = run.process(name)
    run.freeze(name)
    others = [process for process in run.processes.values() if process.pid != old.pid]
    run.kill_launcher()
    psutil.wait_procs(others, timeout=60)
    run.start()
    assert run.wait() == ExitCode.DONE, run.log
    assert run.digest == play(**PLAYED).digest
    before = everything(run.folder)
    log = run.log
    old.resume()
    old.wait(60)
    assert everything(run.folder) == before
    assert run.log == log


def test_woken_while_the_run_goes_on(start_run: Any, play: Any) -> None:
    run = start_run(**CASE, settings={"fsync": False})
    run.until_round(20)
    old: psutil.Process = run.process("coordinator")
    run.freeze("coordinator")
    others = [process for process in run.processes.values() if process.pid != old.pid]
    run.kill_launcher()
    psutil.wait_procs(others, timeout=60)
    run.start()
    run.until_round(60)
    old.resume()
    old.wait(60)
    assert run.wait() == ExitCode.DONE, run.log
    expected = play(**PLAYED)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


STOPS = """
import os, signal
split = os.path.split
def stopping(path):
    if os.fspath(path).endswith(".endpoint"):
        os.kill(os.getpid(), signal.SIGSTOP)
    return split(path)
os.path.split = stopping
"""
"""Imported by every Python process that finds it: it stops just before it writes an address."""


def test_woken_just_before_it_writes_its_address_it_calls_nobody_away(
    start_run: Any, play: Any, scratch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = scratch.path / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(STOPS)

    def stands() -> bool:
        return "coordinator" in run.processes and run.process("coordinator").status() == psutil.STATUS_STOPPED

    with monkeypatch.context() as stopping:
        stopping.setenv("PYTHONPATH", str(shim))
        run = start_run(**CASE, settings={"fsync": False, "transport": "tcp"})
        run.until(stands, "the coordinator was to write its address")
    old: psutil.Process = run.process("coordinator")
    others = [process for process in run.processes.values() if process.pid != old.pid]
    run.kill_launcher()
    psutil.wait_procs(others, timeout=60)
    run.start()
    run.until_round(20)
    (file,) = scratch.path.glob("bnpg-*/coordinator*.endpoint")
    address = file.read_text()
    old.resume()
    old.wait(60)
    assert file.read_text() == address
    assert run.wait() == ExitCode.DONE, run.log
    assert run.digest == play(**PLAYED).digest


def test_a_copy_of_a_folder_and_its_original_run_at_once(start_run: Any, play: Any, tmp_path: Path) -> None:
    copied: list[Any] = []
    run = start_run(**CASE, settings={"fsync": False})
    run.until_round(20)
    run.kill_everything()

    def prepare(other: Any) -> None:
        shutil.rmtree(other.folder)
        shutil.copytree(run.folder, other.folder)
        copied.append(other)

    copy = start_run(**CASE, settings={"fsync": False}, prepare=prepare)
    run.start()
    assert copied
    for one in (run, copy):
        assert one.wait() == ExitCode.DONE, one.log
    expected = play(**PLAYED)
    assert run.digest == copy.digest == expected.digest
    assert run.lines == copy.lines == expected.lines


def test_what_is_restored_from_a_backup_goes_on_and_a_part_of_it_is_told(tmp_path: Path, capfd: Any) -> None:
    run, backup, later = tmp_path / "run", tmp_path / "backup", tmp_path / "later"
    options = ["--lanes", "2", "--horizon", "2", "--launcher", "memory", "--no-fsync", "--quiet"]
    assert main(["train", "climbing", "--rounds", "2", *options, "--out", str(run)]) == 0
    shutil.copytree(run, backup)

    def resumed(folder: Path, rounds: int) -> int:
        return main(["resume", str(folder), "--rounds", str(rounds), "--quiet"])

    assert resumed(run, 6) == 0
    shutil.copytree(run, later)
    assert resumed(backup, 6) == 0
    lines = [[line.untimed for line in RunFolder(folder).lines] for folder in (backup, run)]
    assert lines[0] == lines[1]

    # Two lines less are written again; an agent that holds rounds 7 to 9 fits nobody at 6.
    record = run / "metrics.jsonl"
    record.write_bytes(b"".join(record.read_bytes().splitlines(keepends=True)[:5]))
    assert [resumed(run, rounds) for rounds in (7, 8, 9)] == [0, 0, 0]
    (backup / "metrics.jsonl").write_bytes(b"")
    assert resumed(backup, 7) == ExitCode.PROTOCOL
    assert "round 0, where its record ends" in capfd.readouterr().err
    shutil.rmtree(later / "agents" / "agent-1")
    shutil.copytree(tmp_path / "run" / "agents" / "agent-1", later / "agents" / "agent-1")
    capfd.readouterr()
    assert resumed(later, 9) == ExitCode.PROTOCOL
    assert (
        "an agent's state folder was lost or belongs to another moment of the run" in capfd.readouterr().err
    )


@pytest.mark.parametrize("launcher", ["memory", "local"])
@pytest.mark.parametrize(
    "stopped_at", ["bnpg.execution.concluded", "bnpg.execution.forget_heads", "bnpg.summary.certify"]
)
def test_a_launcher_is_fenced_where_nothing_can_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: str, launcher: str
) -> None:
    def no_locks(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    run = tmp_path / "run"
    options = ["--rounds", "4", "--lanes", "2", "--horizon", "2", "--trace", "--save-policy", "--no-fsync"]
    train = ["train", "climbing", *options, "--quiet", "--launcher", "memory", "--out", str(run)]
    module, _, name = stopped_at.rpartition(".")
    asleep = getattr(importlib.import_module(module), name)
    ended: list[Any] = []

    def woken(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(stopped_at, asleep)
        ended.append(main(["resume", str(run), "--quiet", "--launcher", launcher]))
        ended.append(everything(run))
        return asleep(*arguments, **options)

    monkeypatch.setattr(stopped_at, woken)
    assert main(train) == ExitCode.STORAGE
    assert ended == [ExitCode.DONE, everything(run)]
    assert main(["trace", "check", str(run)]) == main(["certificate", "check", str(run)]) == ExitCode.DONE


def test_an_agent_that_was_started_again_by_hand_fences_its_earlier_life(tmp_path: Path) -> None:
    import numpy as np

    def snapshot(value: float) -> Snapshot:
        arrays: Arrays = {"theta": np.full((1, 2), value)}
        return Snapshot(arrays)

    old = CheckpointFolder(tmp_path, fsync=False)
    assert old.next_incarnation() == 1
    old.write(3, snapshot(3.0))
    new = CheckpointFolder(tmp_path, fsync=False)
    assert new.next_incarnation() == 2
    assert list(new.take_over()) == [3]
    before = everything(tmp_path)
    for write in (
        lambda: old.write(4, snapshot(4.0)),
        lambda: old.adopt(1, "another"),
        old.next_incarnation,
    ):
        with pytest.raises(StorageFailed):
            write()
    old.close()
    assert everything(tmp_path) == before
    assert os.listdir(new.fence.path) == []
    new.close()
