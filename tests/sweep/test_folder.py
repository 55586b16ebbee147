"""Sweeps that begin in one folder at the same moment: one is let in."""

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bnpg.sweeps import folder
from bnpg.sweeps.folder import MANIFEST, sweep_folder
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
