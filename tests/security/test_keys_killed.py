"""Whoever makes, rotates or revokes keys may be killed at any change of the disk: the next gets through."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.process.security.roster import read_roster

from bnpg.__main__ import main
from bnpg.new_keys import alone

CHANGES = ("replace", "rename", "unlink")
KILLED = 9


def killed(change: int, *arguments: str) -> bool:
    """Kill a command before one of its changes of the disk, by its number; say whether it came to that."""
    child = os.fork()
    if child == 0:
        left = iter(range(change))

        def dying(do: Callable[..., Any]) -> Callable[..., Any]:
            def done(*given: Any, **how: Any) -> Any:
                if next(left, None) is None:
                    os._exit(KILLED)
                return do(*given, **how)

            return done

        for name in CHANGES:
            setattr(os, name, dying(getattr(os, name)))
        os._exit(main(["keys", *arguments]))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, KILLED)
    return os.waitstatus_to_exitcode(status) == KILLED


def kills(folder: Path, before: Path | None, *arguments: str) -> Iterator[Path]:
    """Yield the folder after each of the kills there can be."""
    for change in range(99):
        shutil.rmtree(folder, ignore_errors=True)
        if before is not None:
            shutil.copytree(before, folder)
        if not killed(change, arguments[0], str(folder), *arguments[1:]):
            assert change > 1
            return
        yield folder
    raise AssertionError("it never came to its end")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    assert main(["keys", "new", str(tmp_path / "keys"), "--agents", "2"]) == 0
    return tmp_path / "keys"


@pytest.mark.parametrize("keep", [["--keep"], []])
def test_keys_are_made_after_all(tmp_path: Path, keep: list[str]) -> None:
    for folder in kills(tmp_path / "new", None, "new", "--agents", "3"):
        assert main(["keys", "new", str(folder), "--agents", "1", *keep]) == 0
        assert main(["keys", "check", str(folder)]) == 0
        names = {file.name for file in folder.iterdir() if not file.name.endswith(".tmp")}
        assert names == {"coordinator.key", "roster.toml", "agent-0.key"}


def test_a_coordinators_key_that_is_elsewhere_is_no_sign_of_that(keys: Path) -> None:
    """It belongs on the coordinator's host: who has moved it there does not lose the others."""
    (keys / "coordinator.key").rename(keys.parent / "coordinator.key")
    before = {file.name: file.read_bytes() for file in keys.iterdir()}
    assert main(["keys", "new", str(keys), "--agents", "2", "--keep"]) == 2
    assert {file.name: file.read_bytes() for file in keys.iterdir()} == before


@pytest.mark.parametrize("whose", [["--agent", "1"], ["--coordinator"]], ids=" ".join)
def test_a_key_is_rotated_after_all(tmp_path: Path, keys: Path, whose: list[str]) -> None:
    before = read_roster(keys / "roster.toml")
    for folder in kills(tmp_path / "rotated", keys, "rotate", *whose):
        assert main(["keys", "rotate", str(folder), *whose]) == 0
        assert main(["keys", "check", str(folder)]) == 0
        roster = read_roster(folder / "roster.toml")
        assert roster.agents["0"] == before.agents["0"]
        assert (roster.agents["1"] != before.agents["1"]) == ("1" in whose)
        assert (roster.coordinator != before.coordinator) == ("1" not in whose)


@pytest.mark.parametrize("first", ["rotate", "revoke"])
def test_a_key_is_revoked_after_all(tmp_path: Path, keys: Path, first: str) -> None:
    for folder in kills(tmp_path / "revoked", keys, first, "--agent", "1"):
        assert main(["keys", "revoke", str(folder), "--agent", "1"]) == 0
        assert main(["keys", "check", str(folder)]) == 0
        assert set(read_roster(folder / "roster.toml").agents) == {"0"}
        assert not (folder / "agent-1.key").exists()


def test_what_does_not_fit_says_what_mends_it(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(keys, tmp_path / "another")
    assert main(["keys", "rotate", str(tmp_path / "another"), "--agent", "1"]) == 0
    shutil.copy(tmp_path / "another" / "agent-1.key", keys)
    capsys.readouterr()
    for command in (["check"], ["rotate", "--agent", "0"], ["rotate", "--coordinator"]):
        assert main(["keys", command[0], str(keys), *command[1:]]) == 2
        assert capsys.readouterr().err.endswith("; rotate that key (again)\n")


@pytest.mark.parametrize("what", ["pipe", "folder"])
def test_a_public_key_that_cannot_be_put_there_makes_none(tmp_path: Path, what: str) -> None:
    public = tmp_path / "coordinator.pub"
    (os.mkfifo if what == "pipe" else os.mkdir)(public)
    command = [sys.executable, "-P", "-m", "bnpg", "keys", "new", str(tmp_path / "keys"), "--agents", "1"]
    ended = subprocess.run(
        [*command, "--public", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert f"--public {public} cannot be written: " in ended.stderr
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("target", ["/nowhere/x", "precious"])
def test_a_link_in_the_place_of_the_public_key_is_replaced(tmp_path: Path, target: str) -> None:
    public, precious = tmp_path / "coordinator.pub", tmp_path / "precious"
    precious.write_text("precious")
    public.symlink_to(target)
    assert main(["keys", "new", str(tmp_path / "keys"), "--agents", "1", "--public", str(tmp_path)]) == 0
    assert public.read_text() == f"{read_roster(tmp_path / 'keys' / 'roster.toml').coordinator}\n"
    assert not public.is_symlink()
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("change", ["rotate", "revoke"])
def test_one_at_a_time_changes_the_keys_of_a_folder(
    keys: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or one would write the roster as it was before the other, and a revoked key be let in again."""
    before = {file: file.read_bytes() for file in keys.iterdir()}
    with alone(keys, "held"):
        assert main(["keys", change, str(keys), "--agent", "1"]) == 2
    assert "is in use: another bnpg process is making or changing keys there" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in keys.iterdir()} == before
    assert main(["keys", change, str(keys), "--agent", "1"]) == 0


def test_a_link_that_leads_nowhere_is_no_free_name_for_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "team.seal").symlink_to(tmp_path / "elsewhere")
    assert main(["keys", "seal", str(tmp_path / "team.seal")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "team.seal").is_symlink()
