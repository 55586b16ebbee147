"""A grid of experiments from Python, as `bnpg sweep` runs it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnpg.api.preparation import as_plain
from bnpg.api.wording import in_python_words
from bnpg.launchers.settings import settings_from
from bnpg.sweeps.folder import available_cores
from bnpg.sweeps.grid import grid_of, read_grid
from bnpg.sweeps.running import Sweep, run_sweep
from bnpg_files.paths import as_path
from bnpg_files.quoting import quoted
from bnpg_files.reading import check_values
from bnpg_math.errors import InputError


@in_python_words
def sweep(
    grid: str | os.PathLike[str] | Mapping[str, Any],
    out: str | os.PathLike[str],
    *,
    base: Mapping[str, Any] | None = None,
    random: Mapping[str, Any] | None = None,
    samples: int | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> Sweep:
    """Run every combination of a grid, or what is left of it.

    Parameters
    ----------
    grid : path or mapping
        A grid file, or what varies: a list of values for each setting, ``{"seed": range(4)}``.
    out : path
        Folder of the sweep. One of the same grid goes on; what is done is kept.
    base : mapping
        What all runs share, one value for each setting.
    random : mapping
        What is drawn: a list for each setting, or ``{"from": 0.01, "to": 1, "scale": "log"}``; `key`, an
        integer, for other points. Each point is run with every combination of the grid, which may be ``{}``.
    samples : int
        How many points are drawn, 20 if nothing says so.
    jobs : int
        Runs at a time; one for each core if left out.
    progress : bool
        Whether to show progress on stderr.

    Returns
    -------
    Sweep
        Its `rows` are those of `table.csv`, its `aggregates` have the interquartile means over the seeds.

    Raises
    ------
    InputError
        If a setting or a combination cannot be used; nothing is run.

    Examples
    --------
    >>> import bnpg
    >>> small = {"game": "climbing", "mode": "exact", "rounds": 20}
    >>> ended = bnpg.sweep({"dag": ["empty", "0-1"]}, "edge", base=small, jobs=1)
    >>> ended.done, [round(row["value"]) for row in ended.rows]
    (2, [7, 11])
    """
    for name, table in (("base", base), ("random", random)):
        if table is not None and not isinstance(table, Mapping):
            raise InputError(f"{name} must map names of settings to values, got {quoted(table)}")
    if isinstance(grid, Mapping):
        axes = {_key(name): _plain_list(values, name) for name, values in grid.items()}
        shared = {_key(name): as_plain(value, name) for name, value in (base or {}).items()}
        tables = {"base": shared, "grid": axes}
        if random:
            tables["random"] = {_key(name): _drawn(values, name) for name, values in random.items()}
        try:
            check_values(tables)
        except ValueError as error:
            raise InputError(f"grid: {error}") from None
        checked = grid_of(tables, Path(), "grid", samples)
    else:
        checked = read_grid(as_path(grid, "grid", InputError), samples)
    settings = settings_from({"launcher": "memory"})
    if jobs is not None and not (isinstance(jobs, int) and jobs >= 0):
        raise InputError(
            f"jobs must be an integer, 0 or None for as many as there are cores, got {quoted(jobs)}"
        )
    return run_sweep(
        checked, as_path(out, "out", InputError), jobs or available_cores(), settings, quiet=not progress
    )


def _plain_list(values: Any, name: str) -> Any:
    """Return values as a grid file has them; what is no list as it is, to be refused as there."""
    plain = as_plain(values, name)
    return [as_plain(value, name) for value in plain] if isinstance(plain, list) else plain


def _drawn(values: Any, name: str) -> Any:
    """Return a range, a number or a list as a grid file has it."""
    if isinstance(values, Mapping):
        return {part: as_plain(value, name) for part, value in values.items()}
    return _plain_list(values, name)


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise InputError(f"grid must have names of settings, got {quoted(name)}")
    return name.replace("_", "-")
