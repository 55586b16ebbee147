"""What a killed process was making is removed by the next one, and what another is making never."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from bnpg import run_draft
from bnpg.locks import opened_folder
from bnpg.run_draft import draft


def in_a_process(work: Callable[[], None]) -> None:
    """Do something in a process that is gone then, without a word."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def left_by_a_killed_process(target: Path) -> Path:
    """Leave the draft of a folder, with something in it."""

    def work() -> None:
        with draft(target, "") as folder:
            (folder / "game.npz").write_bytes(b"0" * 1000)
            os._exit(9)

    target.parent.mkdir(exist_ok=True)
    before = set(target.parent.iterdir())
    in_a_process(work)
    (left,) = set(target.parent.iterdir()) - before
    return left


def make(target: Path) -> None:
    with draft(target, "") as folder:
        folder.rename(target)


def test_one_of_another_name_is_removed_too(tmp_path: Path) -> None:
    """The default name of a run has the second in it: the same one never comes again."""
    for name in ("climbing-20260101-120000", "another"):
        left_by_a_killed_process(tmp_path / "runs" / name)
    make(tmp_path / "runs" / "climbing-20260101-120001")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["climbing-20260101-120001"]


def test_one_that_is_being_made_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_draft, "_WAIT", 0.0)
    with draft(tmp_path / "first", "") as first:
        with draft(tmp_path / "second", "") as second:
            make(tmp_path / "third")
            second.rename(tmp_path / "second")
        first.rename(tmp_path / "first")
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "third"}


def test_so_is_one_of_who_did_not_get_the_lock_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_draft, "_WAIT", 0.0)
    with ExitStack() as first:
        with opened_folder(tmp_path) as tidying:
            assert run_draft._lock(tidying, run_draft.fcntl.LOCK_EX)
            folder = first.enter_context(draft(tmp_path / "first", ""))
        make(tmp_path / "second")
        folder.rename(tmp_path / "first")
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}


def test_of_another_kernel_only_those_of_the_same_folder_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system of several hosts a lock may be seen on one of them only."""
    with monkeypatch.context() as patched:
        patched.setattr(run_draft, "_kernel", lambda: "01234567")
        same, other = (left_by_a_killed_process(tmp_path / name) for name in ("same", "other"))
    make(tmp_path / "same")
    assert not same.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"same", other.name}


@pytest.mark.parametrize("name", [".cache.0123abcd.tmp", "run.0123abcd.0123abcd.tmp", ".a.0123abcd.0123abcd"])
def test_what_is_no_draft_of_ours_is_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    make(tmp_path / "run")
    assert (tmp_path / name).is_dir()


def test_one_of_an_earlier_version_is_removed_by_the_next_of_its_name(tmp_path: Path) -> None:
    (tmp_path / ".run[1].0123abcd.tmp").mkdir()
    make(tmp_path / "run[1]")
    assert [path.name for path in tmp_path.iterdir()] == ["run[1]"]


def test_a_link_of_such_a_name_is_followed_nowhere(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "precious").touch()
    (tmp_path / f".run.{run_draft._kernel()}.0123abcd.tmp").symlink_to(kept)
    make(tmp_path / "run")
    assert (kept / "precious").exists()
