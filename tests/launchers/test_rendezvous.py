"""Processes meet in a short folder that belongs to the run folder, whatever stands in its files."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.transport.unix import UnixTransport
from bnpg_protocol.wire.errors import StorageFailed

from bnpg.__main__ import main
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.rendezvous import LONGEST_ENDPOINT, LONGEST_NAME, forsake, rendezvous
from bnpg.launchers.settings import LaunchSettings
from bnpg.launchers.wiring import LocalWiring
from bnpg.run_creation import create_run_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files: a short one, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="b-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_it_is_there_for_that_time_and_nobody_else_may_enter(temporary: Path, tmp_path: Path) -> None:
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
        assert place.parent == temporary
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert not place.exists()


def test_what_an_earlier_life_of_the_run_left_is_removed(temporary: Path, tmp_path: Path) -> None:
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
        pass
    place.mkdir()
    (place / "coordinator.ipc").touch()
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as again:
        assert again == place
        assert list(place.iterdir()) == []


def test_a_copy_of_a_run_folder_meets_elsewhere(temporary: Path, tmp_path: Path) -> None:
    original, copy = tmp_path / "run", tmp_path / "copy"
    original.mkdir()
    (original / "run.json").write_text("{}")
    shutil.copytree(original, copy)
    with (
        rendezvous(original, Fence.raise_in(original)) as one,
        rendezvous(copy, Fence.raise_in(copy)) as other,
    ):
        assert one != other
        assert one.is_dir()


def test_what_a_file_of_the_run_says_leads_nowhere(temporary: Path, tmp_path: Path) -> None:
    victim = temporary / "victim"
    victim.mkdir()
    (tmp_path / "run.json").write_text('{"run": "/../victim"}')
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
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
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
        assert len(os.fsencode(place)) + LONGEST_NAME <= LONGEST_ENDPOINT
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_socket_of_the_longest_name_can_be_bound_in_the_longest_place(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its agent has five digits, its host is up for years, and its process has the largest number."""
    monkeypatch.setattr("bnpg.launchers.rendezvous._ELSEWHERE", ())
    monkeypatch.setattr(os, "getpid", lambda: 4194304)
    bound = 0
    for length in range(len(str(temporary)) + 2, LONGEST_ENDPOINT):
        long = temporary / ("j" * (length - len(str(temporary)) - 1))
        long.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(long))
        try:
            with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
                UnixTransport("agent-99999", f"unix://{place}/agent-99999-12345678901234567.unix").close()
        except StorageFailed:
            break
        bound += 1
    assert 0 < bound < LONGEST_ENDPOINT - LONGEST_NAME


def test_where_there_is_no_place_the_reason_is_said(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = temporary / ("j" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr("bnpg.launchers.rendezvous._ELSEWHERE", ())
    with (
        pytest.raises(StorageFailed, match=r"at most \d+ bytes, got .*: set TMPDIR"),
        rendezvous(tmp_path, Fence.raise_in(tmp_path)),
    ):
        pass


def test_a_place_that_somebody_else_made_is_not_used(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
        pass
    place.symlink_to(tmp_path)
    with (
        pytest.raises(StorageFailed, match="not this user's folder"),
        rendezvous(tmp_path, Fence.raise_in(tmp_path)),
    ):
        pass


def test_who_has_lost_the_run_folder_has_no_place_and_takes_none_away(
    temporary: Path, tmp_path: Path
) -> None:
    old = Fence.raise_in(tmp_path)
    new = Fence.raise_in(tmp_path)
    with rendezvous(tmp_path, new) as place:
        (place / "coordinator.ipc").touch()
        with (
            pytest.raises(StorageFailed, match=f"cannot make {place}: somebody else has taken the folder"),
            rendezvous(tmp_path, old),
        ):
            pass
        forsake(tmp_path, old)
        assert (place / "coordinator.ipc").exists()
        forsake(tmp_path, new)
        assert not place.exists()


@pytest.mark.parametrize("rounds", ["2", "3"], ids=["all rounds done", "more rounds"])
def test_where_a_killed_run_met_is_gone_when_it_has_ended_in_one_process(
    temporary: Path, tmp_path: Path, rounds: str
) -> None:
    folder = tmp_path / "run"
    short = ["--lanes", "2", "--horizon", "2", "--no-fsync", "--quiet", "--launcher", "memory"]
    assert main(["train", "climbing", "--rounds", "2", *short, "--out", str(folder)]) == 0
    with rendezvous(folder, Fence.raise_in(folder)) as place:
        pass
    place.mkdir()
    (place / "coordinator.ipc").touch()
    assert main(["resume", str(folder), "--rounds", rounds, "--launcher", "memory", "--quiet"]) == 0
    assert list(temporary.iterdir()) == []


def test_who_loses_the_run_folder_meanwhile_leaves_the_place_of_the_next(
    temporary: Path, tmp_path: Path
) -> None:
    old = rendezvous(tmp_path, Fence.raise_in(tmp_path))
    place = old.__enter__()
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as again:
        assert again == place
        (place / "coordinator.ipc").touch()
        old.__exit__(None, None, None)
        assert (place / "coordinator.ipc").exists()


def test_who_has_lost_the_run_folder_starts_nobody_again_and_leaves_the_sockets_of_the_next(
    temporary: Path, tmp_path: Path
) -> None:
    settings = LaunchSettings(fsync=False)
    run = create_run_folder(plan_experiment({"game": "climbing"}), settings, tmp_path / "run")
    old = LocalWiring(run, settings, Fence.raise_in(run.path), temporary)
    inbox = temporary / "agent-1-1.ipc"
    inbox.touch()
    assert [order.name for order in old.orders(["agent-1"], {})] == ["agent-1"]
    assert not inbox.exists()
    Fence.raise_in(run.path)
    inbox.touch()
    with pytest.raises(StorageFailed, match="cannot start agent-1: somebody else has taken the folder over"):
        old.orders(["agent-1"], {})
    assert inbox.exists()


def test_what_is_its_own_goes_even_if_the_run_folder_was_lost(temporary: Path, tmp_path: Path) -> None:
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
        Fence.raise_in(tmp_path)
    assert not place.exists()


def test_a_temporary_folder_whose_name_is_no_text_is_passed_over(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = os.fsencode(temporary) + b"/\xff\xfe"
    os.mkdir(nameless)
    monkeypatch.setattr(tempfile, "tempdir", os.fsdecode(nameless))
    monkeypatch.setattr("bnpg.launchers.rendezvous._ELSEWHERE", (str(temporary),))
    with rendezvous(tmp_path, Fence.raise_in(tmp_path)) as place:
        assert place.parent == temporary
        str(place).encode()
