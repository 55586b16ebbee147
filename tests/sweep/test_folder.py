"""Sweeps that begin in one folder at the same moment: one is let in."""

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bnpg.sweeps import folder
from bnpg.sweeps.files import MANIFEST
from bnpg.sweeps.folder import sweep_folder
from bnpg.sweeps.grid import Grid, read_grid
from bnpg_math.errors import InputError


def once(work: Callable[[], Any], then: Callable[..., Any]) -> Callable[..., Any]:
    """Return what does some work before the first of its calls."""
    left = [work]

    def call(*given: Any, **named: Any) -> Any:
        if left:
            left.pop()()
        return then(*given, **named)

    return call


def no_links(*_paths: object) -> None:
    raise PermissionError


def test_one_that_was_faster_is_not_replaced(grid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, faster = read_grid(grid_file), ExitStack()

    def overtake() -> None:
        faster.enter_context(sweep_folder(grid, Path("both")))

    manifest: Callable[[Grid], dict[str, Any]] = folder._manifest
    monkeypatch.setattr(folder, "_manifest", once(overtake, manifest))
    with faster, pytest.raises(InputError, match="both is in use"), sweep_folder(grid, Path("both")):
        pass
    assert sorted(path.name for path in Path("both").iterdir()) == ["runs", MANIFEST]
    with sweep_folder(grid, Path("both")):
        pass


DRAFTS = (
    ".sweep.json.12.once",
    "..sweep.json.12.once.12.tmp",
    ".table.csv.4194304.tmp",
    ".table.parquet.12.tmp",
    ".aggregates.csv.12.tmp",
    ".report.html.12.tmp",
)
OTHERS = (
    "sweep.json.12.once",
    ".sweep.json.12.tmp",
    ".sweep.json.once",
    ".sweep.json.12.once.bak",
    ".table.csv.x12.tmp",
    ".table.csv.12.tmp~",
    ".notes.md.12.tmp",
    "..table.csv.12.tmp.12.tmp",
)


def begun(grid: Grid) -> Path:
    with sweep_folder(grid, Path("one")) as sweep:
        return sweep.path


def test_what_a_killed_one_was_writing_is_removed_and_nothing_else(grid_file: Path) -> None:
    grid = read_grid(grid_file)
    place = begun(grid)
    for name in (*DRAFTS, *OTHERS, "runs/.table.csv.12.tmp"):
        (place / name).touch()
    (place / ".table.csv.13.tmp").mkdir()
    (place / ".report.html.13.tmp").symlink_to("sweep.json")
    with sweep_folder(grid, place):
        left = {path.name for path in place.iterdir()}
    assert left == {MANIFEST, "runs", ".table.csv.13.tmp", ".report.html.13.tmp", *OTHERS}
    assert (place / "runs/.table.csv.12.tmp").exists()


def test_what_another_sweep_or_one_at_work_was_writing_stays(grid_file: Path) -> None:
    grid = read_grid(grid_file)
    place = begun(grid)
    draft = place / DRAFTS[2]
    with sweep_folder(grid, place):
        draft.touch()
        with pytest.raises(InputError, match="one is in use"), sweep_folder(grid, place):
            pass
    assert draft.exists()
    text = grid_file.read_text()
    grid_file.write_text(text.replace("rounds = ", "rounds = 1"))
    with pytest.raises(InputError, match="holds another sweep"), sweep_folder(read_grid(grid_file), place):
        pass
    assert draft.exists()


def test_where_nothing_can_be_locked_nothing_is_removed(
    grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = read_grid(grid_file)
    place = begun(grid)
    monkeypatch.setattr(fcntl, "flock", no_links)
    draft = place / DRAFTS[2]
    draft.touch()
    with sweep_folder(grid, place):
        assert draft.exists()


@pytest.mark.parametrize("at", ["replace", "link"])
@pytest.mark.parametrize("links", [True, False])
def test_one_whose_draft_a_faster_one_has_removed_is_refused(
    grid_file: Path, monkeypatch: pytest.MonkeyPatch, at: str, links: bool
) -> None:
    grid, faster, number = read_grid(grid_file), ExitStack(), os.getpid()

    def overtake() -> None:
        monkeypatch.setattr(os, "getpid", lambda: number + 1)
        faster.enter_context(sweep_folder(grid, Path("both")))
        monkeypatch.setattr(os, "getpid", lambda: number)

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(os, at, once(overtake, getattr(os, at)))
    with faster, pytest.raises(InputError, match="both is in use"), sweep_folder(grid, Path("both")):
        pass
    assert sorted(path.name for path in Path("both").iterdir()) == ["runs", MANIFEST]


def test_one_that_was_replaced_before_its_lock_is_refused(
    grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, manifest = read_grid(grid_file), Path("both") / MANIFEST

    def replace() -> None:
        Path("new").write_bytes(manifest.read_bytes())
        os.replace("new", manifest)

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(fcntl, "flock", once(replace, fcntl.flock))
    with pytest.raises(InputError, match="both is in use"), sweep_folder(grid, Path("both")):
        pass
    with sweep_folder(grid, Path("both")):
        pass
