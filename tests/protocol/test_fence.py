"""Who has lost a folder to somebody else changes nothing in it any more, however far it had come."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.process.fence import Fence, fences
from bnpg_protocol.process.files import make_folder, next_count, write_atomically
from bnpg_protocol.process.log import open_log
from bnpg_protocol.process.recorder import TraceRecorder, seal
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.events import Begun, Started


def test_what_is_written_through_a_fence_that_stands_is_there(tmp_path: Path) -> None:
    fence = Fence.raise_in(tmp_path)
    write_atomically(tmp_path / "file", b"new", False, fence)
    assert next_count(tmp_path / "count", True, fence) == 1
    fence.lower()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new", "count": b"1\n"}


@pytest.mark.parametrize("lowered", [False, True], ids=["torn by the next", "lowered"])
def test_nothing_is_written_or_removed_through_a_fence_that_is_gone(tmp_path: Path, lowered: bool) -> None:
    old = Fence.raise_in(tmp_path)
    write_atomically(tmp_path / "file", b"old", False, old)
    if lowered:
        old.lower()
    else:
        new = Fence.raise_in(tmp_path)
        assert fences(tmp_path) == [new.path]
        write_atomically(tmp_path / "file", b"new", False, new)
    before = (tmp_path / "file").read_bytes()
    assert old.torn
    with pytest.raises(StorageFailed, match="file"):
        write_atomically(tmp_path / "file", b"stale", False, old)
    with pytest.raises(OSError, match="No such file"):
        old.remove(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == before


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_need_not_be_there_is_removed_by_who_has_the_folder_only(
    tmp_path: Path, there: bool
) -> None:
    file = tmp_path / "file"
    old = Fence.raise_in(tmp_path)
    if there:
        file.touch()
    old.discard(file)
    assert list(tmp_path.iterdir()) == [old.path]
    assert list(old.path.iterdir()) == []
    new = Fence.raise_in(tmp_path)
    if there:
        file.touch()
    with pytest.raises(StorageFailed, match=f"cannot remove {file}: somebody else has taken the folder over"):
        old.discard(file)
    assert file.exists() == there
    assert new.path.exists()


def test_a_folder_in_the_place_of_a_file_stays(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    fence = Fence.raise_in(tmp_path)
    with pytest.raises(IsADirectoryError):
        fence.discard(tmp_path / "file")
    fence.lower()
    assert (tmp_path / "file").is_dir()


def test_a_file_that_was_made_before_the_fence_was_torn_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest moment: the content is written, and the process sleeps before it renames the file."""
    old = Fence.raise_in(tmp_path)
    rename = __import__("os").replace

    def asleep(source: str, target: Path) -> None:
        write_atomically_by_the_next(tmp_path, rename)
        rename(source, target)

    monkeypatch.setattr("bnpg_protocol.process.files.os.replace", asleep)
    with pytest.raises(StorageFailed):
        write_atomically(tmp_path / "file", b"stale", False, old)
    assert (tmp_path / "file").read_bytes() == b"new"


def write_atomically_by_the_next(folder: Path, rename: object) -> None:
    fence = Fence.raise_in(folder)
    draft = Path(fence.draft("another"))
    draft.write_bytes(b"new")
    draft.rename(folder / "file")


def test_a_trace_of_an_earlier_life_does_not_grow(tmp_path: Path) -> None:
    recorder = TraceRecorder(tmp_path / "trace", 1, fence=Fence.raise_in(tmp_path))
    recorder(Started({"run": "r", "experiment": "e"}))
    recorder.flush()
    file = tmp_path / "trace" / "coordinator.1.jsonl"
    before = file.read_bytes()
    seal(tmp_path / "trace", Fence.raise_in(tmp_path))
    recorder(Begun(0))
    recorder.close(0, "")
    assert file.read_bytes() == before


def test_a_trace_of_an_earlier_life_does_not_begin(tmp_path: Path) -> None:
    recorder = TraceRecorder(tmp_path / "trace", 1, fence=Fence.raise_in(tmp_path))
    Fence.raise_in(tmp_path)
    recorder(Started({"run": "r", "experiment": "e"}))
    with pytest.raises(StorageFailed):
        recorder.flush()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("fsync", [False, True])
def test_a_folder_is_made_with_those_above_it_by_who_has_the_one_they_are_in(
    tmp_path: Path, fsync: bool
) -> None:
    fence = Fence.raise_in(tmp_path)
    for _ in range(2):
        make_folder(tmp_path / "agents" / "agent-0", fsync, fence)
    make_folder(tmp_path / "agents" / "agent-1", fsync, fence)
    assert list(fence.path.iterdir()) == []
    Fence.raise_in(tmp_path)
    with pytest.raises(FileNotFoundError):
        make_folder(tmp_path / "agents" / "agent-2", fsync, fence)
    make_folder(tmp_path / "agents" / "agent-1", fsync, fence)
    assert sorted(path.name for path in (tmp_path / "agents").iterdir()) == ["agent-0", "agent-1"]


def test_a_file_in_the_place_of_a_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "agents").write_text("a file")
    fence = Fence.raise_in(tmp_path)
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "agents", False, fence)
    assert list(fence.path.iterdir()) == []
    assert (tmp_path / "agents").read_text() == "a file"


def test_processes_that_make_one_folder_at_once_replace_nothing_of_each_other(tmp_path: Path) -> None:
    for turn in range(200):
        run = tmp_path / str(turn)
        run.mkdir()
        fence, together = Fence.raise_in(run), threading.Barrier(4)

        def make(
            agent: int, run: Path = run, fence: Fence = fence, start: threading.Barrier = together
        ) -> None:
            own = run / "agents" / str(agent)
            start.wait()
            make_folder(own, False, fence)
            (own / "theta").write_text("kept")

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(make, range(4)))
        assert sorted(path.parent.name for path in run.glob("agents/*/theta")) == ["0", "1", "2", "3"]


def test_a_folder_elsewhere_is_made_as_it_always_was(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    fence = Fence.raise_in(tmp_path / "run")
    make_folder(tmp_path / "logs" / "deep", False, fence)
    assert (tmp_path / "logs" / "deep").is_dir()


def test_an_earlier_life_does_not_bring_back_a_folder_that_was_moved(tmp_path: Path) -> None:
    run = tmp_path / "above" / "x"
    run.mkdir(parents=True)
    fence = Fence.raise_in(run)
    (tmp_path / "above").rename(tmp_path / "y")
    recorder = TraceRecorder(run / "trace", 1, fence=fence)
    recorder(Started({"run": "r", "experiment": "e"}))
    with pytest.raises(StorageFailed):
        recorder.flush()
    log = open_log("coordinator", "text", "error", run / "logs" / "coordinator.log", fence)
    assert len(log.handlers) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["y"]


def test_a_file_of_that_name_and_a_link_are_no_fences(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / ".fence-1").write_text("a file")
    (tmp_path / ".fence-2").symlink_to(kept, target_is_directory=True)
    Fence.raise_in(tmp_path).lower()
    assert kept.is_dir()
    assert (tmp_path / ".fence-1").read_text() == "a file"


def test_whoever_makes_a_file_just_then_keeps_nobody_from_taking_the_folder_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Fence.raise_in(tmp_path)
    remove = os.rmdir

    def at_work(*arguments: Any, **options: Any) -> None:
        with suppress(FileNotFoundError):
            Path(old.draft("file")).write_bytes(b"stale")
        remove(*arguments, **options)

    monkeypatch.setattr(os, "rmdir", at_work)
    new = Fence.raise_in(tmp_path)
    assert old.torn
    assert list(tmp_path.iterdir()) == [new.path]


def test_of_two_who_take_a_folder_over_at_once_one_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = []

    def meanwhile(folder: Path) -> list[Path]:
        found = fences(folder)
        if not others:
            others.append(None)
            others[0] = Fence.raise_in(folder)
        return found

    monkeypatch.setattr("bnpg_protocol.process.fence.fences", meanwhile)
    with pytest.raises(StorageFailed, match="somebody else has taken the folder over"):
        Fence.raise_in(tmp_path)
    assert list(tmp_path.iterdir()) == [others[0].path]
