"""Processes meet in a short folder that belongs to the run folder, whatever stands in its files."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from bnpg_protocol.wire.errors import StorageFailed

from bnpg.launchers.rendezvous import LONGEST_ENDPOINT, LONGEST_NAME, rendezvous


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files: a short one, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="b-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_it_is_there_for_that_time_and_nobody_else_may_enter(temporary: Path, tmp_path: Path) -> None:
    with rendezvous(tmp_path) as place:
        assert place.parent == temporary
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert not place.exists()


def test_what_an_earlier_life_of_the_run_left_is_removed(temporary: Path, tmp_path: Path) -> None:
    with rendezvous(tmp_path) as place:
        pass
    place.mkdir()
    (place / "coordinator.ipc").touch()
    with rendezvous(tmp_path) as again:
        assert again == place
        assert list(place.iterdir()) == []


def test_a_copy_of_a_run_folder_meets_elsewhere(temporary: Path, tmp_path: Path) -> None:
    original, copy = tmp_path / "run", tmp_path / "copy"
    original.mkdir()
    (original / "run.json").write_text("{}")
    shutil.copytree(original, copy)
    with rendezvous(original) as one, rendezvous(copy) as other:
        assert one != other
        assert one.is_dir()


def test_what_a_file_of_the_run_says_leads_nowhere(temporary: Path, tmp_path: Path) -> None:
    victim = temporary / "victim"
    victim.mkdir()
    (tmp_path / "run.json").write_text('{"run": "/../victim"}')
    with rendezvous(tmp_path) as place:
        assert place.parent == temporary
    assert victim.is_dir()


@pytest.mark.parametrize("length", [60, 67, 100, 200])
def test_a_long_name_of_the_temporary_folder_is_no_hindrance(
    length: int, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = temporary / ("j" * (length - len(str(temporary)) - 1))
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr("bnpg.launchers.rendezvous._ELSEWHERE", (str(temporary),))
    with rendezvous(tmp_path) as place:
        assert len(os.fsencode(place)) + LONGEST_NAME <= LONGEST_ENDPOINT
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_where_there_is_no_place_the_reason_is_said(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = temporary / ("j" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr("bnpg.launchers.rendezvous._ELSEWHERE", ())
    with (
        pytest.raises(StorageFailed, match=r"at most \d+ bytes, got .*: set TMPDIR"),
        rendezvous(tmp_path),
    ):
        pass


def test_a_place_that_somebody_else_made_is_not_used(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rendezvous(tmp_path) as place:
        pass
    place.symlink_to(tmp_path)
    with pytest.raises(StorageFailed, match="not this user's folder"), rendezvous(tmp_path):
        pass
