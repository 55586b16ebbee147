"""What a command read of a run before it took the folder over may be of yesterday by then."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.process.fence import Fence

import bnpg
from bnpg import execution
from bnpg.lease import lease
from bnpg_math.errors import InputError

Act = Callable[[], object]
QUICK = ("--lanes", "2", "--horizon", "2", "--no-fsync", "--quiet")


@pytest.fixture
def stopped_before_its_lease(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Act], None]]:
    """Have somebody act when the next command is about to take a run folder over, and has read it."""

    def arrange(act: Act) -> None:
        def late(folder: Path) -> AbstractContextManager[Fence]:
            monkeypatch.setattr(execution, "lease", lease)
            act()
            monkeypatch.setattr(execution, "lease", lease)
            return lease(folder)

        monkeypatch.setattr(execution, "lease", late)

    yield arrange
    assert execution.lease is lease


@pytest.fixture(params=["memory", "local"])
def folder(run: Callable[..., Any], request: pytest.FixtureRequest) -> Path:
    options = ("--rounds", "5", *QUICK, "--launcher", request.param)
    assert run("train", "coordination(agents=2)", *options, "--out", "run").code == 0
    return Path("run")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rounds_of(folder: Path) -> tuple[int, int]:
    """Return how many rounds are done, and how many the run is to have."""
    text = (folder / "experiment.toml").read_text()
    to_have = int(text.partition("\nrounds = ")[2].split()[0])
    return json.loads((folder / "summary.json").read_text())["rounds"], to_have


def test_fewer_rounds_than_somebody_did_meanwhile_are_refused_and_nothing_is_changed(
    folder: Path, run: Callable[..., Any], stopped_before_its_lease: Callable[[Act], None]
) -> None:
    found: list[dict[str, bytes]] = []

    def to_the_end() -> None:
        assert run("resume", folder, "--rounds", "12", "--quiet").code == 0
        found.append(contents(folder))

    stopped_before_its_lease(to_the_end)
    ended = run("resume", folder, "--rounds", "8", "--quiet")
    assert (ended.code, ended.out) == (2, "")
    assert "run: rounds is 8, but 12 are done: expected 12 or more" in ended.err
    assert [contents(folder)] == found

    stopped_before_its_lease(lambda: run("resume", folder, "--rounds", "15", "--quiet"))
    with pytest.raises(InputError, match="rounds is 14, but 15 are done"):
        bnpg.resume(folder, rounds=14)
    assert rounds_of(folder) == (15, 15)


def test_it_goes_on_from_where_somebody_brought_it_meanwhile(
    folder: Path, run: Callable[..., Any], stopped_before_its_lease: Callable[[Act], None]
) -> None:
    stopped_before_its_lease(lambda: run("resume", folder, "--rounds", "7", "--quiet"))
    assert run("resume", folder, "--rounds", "9", "--quiet").code == 0
    assert rounds_of(folder) == (9, 9)


def test_who_finds_a_run_in_use_has_not_given_it_other_rounds(
    folder: Path,
    run: Callable[..., Any],
    stopped_before_its_lease: Callable[[Act], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def second() -> None:
        def taken(folder: Path) -> AbstractContextManager[Fence]:
            raise InputError(f"{folder} is in use: another bnpg process is running this run")

        monkeypatch.setattr(execution, "lease", taken)
        assert run("resume", folder, "--rounds", "6", "--quiet").code == 2
        assert rounds_of(folder)[1] != 6

    stopped_before_its_lease(second)
    assert run("resume", folder, "--rounds", "9", "--quiet").code == 0
    assert rounds_of(folder) == (9, 9)
    assert "is finished already" in run("resume", folder).err


@pytest.mark.parametrize("command", ["resume", "train", "bnpg.train"])
def test_a_run_that_was_given_other_rounds_meanwhile_is_left_alone(
    command: str,
    folder: Path,
    run: Callable[..., Any],
    stopped_before_its_lease: Callable[[Act], None],
) -> None:
    new = Path("new")
    if command == "resume":  # of one that has something left to do
        shutil.copytree(folder, new)
        (new / "summary.json").unlink()
    found: list[dict[str, bytes]] = []

    def to_the_end() -> None:
        assert run("resume", new, "--rounds", "7", "--quiet", "--launcher", "memory").code == 0
        found.append(contents(new))

    stopped_before_its_lease(to_the_end)
    why = r"new/experiment.toml was changed since it was read, .* says rounds = 7, .* began with 5: start"
    if command == "bnpg.train":
        with pytest.raises(InputError, match=why):
            bnpg.train("climbing", rounds=5, lanes=2, horizon=2, fsync=False, out=new)
    else:
        words = (
            ("resume", new, "--quiet")
            if command == "resume"
            else ("train", "climbing", "--rounds", "5", *QUICK, "--launcher", "memory", "--out", new)
        )
        ended = run(*words)
        assert (ended.code, ended.out) == (2, "")
        assert re.search(why, ended.err)
    assert [contents(new)] == found
    assert rounds_of(new) == (7, 7)


def test_another_run_that_took_its_place_meanwhile_is_left_alone(
    folder: Path, run: Callable[..., Any], stopped_before_its_lease: Callable[[Act], None]
) -> None:
    other = Path("other")
    assert run("train", "coordination(agents=2)", "--rounds", "5", *QUICK, "--out", other).code == 0
    before = {path.replace("other/", "run/", 1): content for path, content in contents(other).items()}

    def replace() -> None:
        shutil.rmtree(folder)
        other.rename(folder)

    stopped_before_its_lease(replace)
    ended = run("resume", folder, "--rounds", "9", "--quiet")
    assert (ended.code, ended.out) == (2, "")
    assert "run has become the folder of another run since it was read" in ended.err
    assert contents(folder) == before


def test_as_many_rounds_as_are_done_are_written_down_where_more_were_to_be_done(
    folder: Path, run: Callable[..., Any]
) -> None:
    file = folder / "experiment.toml"
    file.write_text(file.read_text().replace("\nrounds = 5\n", "\nrounds = 9\n"))
    assert rounds_of(folder) == (5, 9)
    assert run("resume", folder, "--rounds", "5", "--quiet").code == 0
    assert rounds_of(folder) == (5, 5)
