"""The folder of one sweep: which grid it belongs to, and a run folder a combination.

::

    sweeps/NAME/
        sweep.json         the grid, and what each run is; written first and never changed
        runs/NUMBER_.../   a run folder each, as `bnpg train` makes them
        table.csv, table.parquet, aggregates.csv, report.html      written when all runs have ended
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bnpg_protocol.process.files import replace_file, sync_folder
from msgspec import Struct

from bnpg import __version__
from bnpg.named_place import made, unwritable
from bnpg.sweeps import files
from bnpg.sweeps.grid import Grid, GridRun
from bnpg_files.names import check_sayable
from bnpg_files.reading import opened, read_json
from bnpg_math.errors import InputError

FORMAT = 1
_MANIFEST = re.escape(files.MANIFEST)
_OTHERS = "|".join(map(re.escape, (files.TABLE, files.PARQUET, files.AGGREGATES, files.REPORT)))
_DRAFT = re.compile(
    rf"\.{_MANIFEST}\.[0-9]+\.once|\.\.{_MANIFEST}\.([0-9]+)\.once\.\1\.tmp|\.(?:{_OTHERS})\.[0-9]+\.tmp"
)
"""What a sweep that is killed leaves of a file that it was writing."""


class _Manifest(Struct):
    """What `sweep.json` holds."""

    format: int
    base: dict[str, Any] = {}
    grid: dict[str, Any] = {}
    random: dict[str, Any] = {}
    runs: list[Any] = []


class SweepFolder:
    """The folder of a sweep that belongs to a grid.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, run: GridRun) -> Path:
        """Return where a run lives."""
        return self.path / "runs" / run.name


@contextmanager
def sweep_folder(grid: Grid, path: Path) -> Iterator[SweepFolder]:
    """Make the folder of a sweep, or go on with it, and keep others out as long as the context lasts.

    Raises
    ------
    InputError
        If it belongs to something else or to another grid (the text says what differs), if another process
        is at work in it, or if it cannot be made.
    StorageFailed
        If the machine is short of something, such as room.
    """
    check_sayable(path.absolute(), "the path of a sweep", InputError)
    text = f"cannot use the folder {path}"
    try:
        with made(path, text):
            if not (path / files.MANIFEST).exists():
                if any(not entry.name.startswith(".") for entry in path.iterdir()):
                    raise InputError(f"{path} exists and is no sweep's folder; choose another --out")
                content = json.dumps(_manifest(grid), indent=1) + "\n"
                _write_once(path / files.MANIFEST, content.encode())
            (path / "runs").mkdir(exist_ok=True)
        file = opened(path / files.MANIFEST, change=True)
    except OSError as error:
        raise unwritable(text, error) from None
    with file:
        locked = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            in_use = not os.path.samestat(os.fstat(file.fileno()), os.stat(path / files.MANIFEST))
        except BlockingIOError:
            in_use = True
        except OSError:
            in_use = locked = False  # a file system without locks: better to run than to refuse
        if in_use:
            raise InputError(f"{path} is in use: another bnpg process is running this sweep")
        difference = _difference(path / files.MANIFEST, grid)
        if difference:
            raise InputError(f"{path} holds another sweep: {difference}; choose another --out")
        if locked:
            _remove_drafts(path)
        yield SweepFolder(path)


def _write_once(path: Path, content: bytes) -> None:
    """Write a file unless another sweep, which began at the same moment, has: that one has locked it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.once")
    try:
        replace_file(draft, content, fsync=True)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            os.replace(draft, path)
        sync_folder(path.parent)
    except FileNotFoundError:
        if not path.exists():
            raise
        # That one has removed the draft.
    finally:
        draft.unlink(missing_ok=True)


def _remove_drafts(path: Path) -> None:
    """Remove what sweeps that were killed were writing; all but the manifest is written under the lock."""
    with os.scandir(path) as entries:
        left = [
            entry.path
            for entry in entries
            if _DRAFT.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]
    for draft in left:
        with suppress(OSError):  # one more file does no harm
            os.unlink(draft)


def _manifest(grid: Grid) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "bnpg": __version__,
        **grid.tables,
        "runs": [{"name": run.name, "digest": run.digest} for run in grid.runs],
    }


def _difference(path: Path, grid: Grid) -> str:
    """Return how a manifest differs from a grid; nothing if it does not."""
    there = read_json(path, _Manifest, InputError)
    if there.format != FORMAT:
        return f"its format is {there.format}, expected {FORMAT}"
    tables, runs = {"base": there.base, "grid": there.grid, "random": there.random}, there.runs
    for table, fields in tables.items():
        here = grid.tables.get(table, {})
        for field in dict.fromkeys([*here, *fields]):
            mine, theirs = here.get(field), fields.get(field)
            if mine != theirs or type(mine) is not type(theirs):
                return f"{table}.{field} is {_shown(theirs)} there and {_shown(mine)} here"
    if runs != _manifest(grid)["runs"]:
        changed = [
            run.name
            for run, old in zip(grid.runs, runs, strict=False)
            if {"name": run.name, "digest": run.digest} != old
        ]
        return f"{changed[0] if changed else 'its list of runs'} is another experiment now (a changed file?)"
    return ""


def _shown(value: Any) -> str:
    text = "not given" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:58]}.."


def default_folder(grid_file: Path) -> Path:
    """Return where a sweep goes if nobody says: always the same for a grid file, so that it goes on."""
    return Path("sweeps") / (grid_file.stem or "sweep")


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
