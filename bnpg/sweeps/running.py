"""A sweep from its grid to its table: what is done is kept, what is begun goes on, the rest is run."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.wire.errors import StorageFailed

from bnpg.extras import lacks_extra
from bnpg.launchers.settings import LaunchSettings
from bnpg.resumption import completed
from bnpg.run_folder import RunFolder
from bnpg.sweeps import files
from bnpg.sweeps.aggregates import Aggregate, aggregate
from bnpg.sweeps.folder import SweepFolder, sweep_folder
from bnpg.sweeps.grid import Grid
from bnpg.sweeps.pool import MakePool, Surroundings, Task
from bnpg.sweeps.progress import watching
from bnpg.sweeps.table import Row, table_rows, write_csv, write_table
from bnpg.sweeps.workers import local_pool
from bnpg_math.errors import InputError
from bnpg_math.html_table import columns


@dataclass(frozen=True)
class Sweep:
    """How a sweep ended.

    Parameters
    ----------
    folder : Path
    runs, done, kept : int
        All runs; those that are done; those of them that were done before.
    failed : dict from name to str
        Why runs failed.
    interrupted : bool
        Then there is no table yet.
    seconds : float
        Of this attempt.
    rows : list of Row
        The table.
    aggregates : list of Aggregate
    report : Path or None
        The comparison of all runs.
    warnings : tuple of str
        What went wrong beside the runs.
    """

    folder: Path
    runs: int
    done: int
    kept: int
    failed: dict[str, str]
    interrupted: bool
    seconds: float
    rows: list[Row]
    aggregates: list[Aggregate]
    report: Path | None
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"<Sweep {str(self.folder)!r}: {self.done} of {self.runs} runs done{failed}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: each configuration over its seeds, in what was measured."""
        found = [aggregate for aggregate in self.aggregates if aggregate.iqm is not None]
        names = list(dict.fromkeys(name for aggregate in found for name in aggregate.configuration))
        rows = [
            [
                *(aggregate.configuration.get(name, "") for name in names),
                aggregate.measure.replace("_", " "),
                aggregate.runs,
                *(
                    "" if number is None else number
                    for number in (aggregate.iqm, aggregate.low, aggregate.high)
                ),
            ]
            for aggregate in found
        ]
        return columns(
            repr(self)[1:-1], [*names, "measure", "runs", "interquartile mean", "low", "high"], rows
        )


def run_sweep(
    grid: Grid,
    folder: Path,
    jobs: int,
    settings: LaunchSettings,
    *,
    quiet: bool,
    make_pool: MakePool = local_pool,
    options: Mapping[str, str] | None = None,
) -> Sweep:
    """Run all that is left of a grid.

    Parameters
    ----------
    grid : Grid
    folder : Path
        New, or of the same grid.
    jobs : int
        Runs at a time.
    settings : LaunchSettings
        How each run is launched.
    quiet : bool
        Show no progress.
    make_pool : callable
        Returns what runs the tasks.
    options : mapping from name to value, optional
        Of the jobs of a batch system.

    Raises
    ------
    InputError
        If the folder cannot be used.
    StorageFailed
        If the table cannot be written.
    """
    began = time.monotonic()
    with sweep_folder(grid, folder) as sweep:
        kept = {run.number for run in grid.runs if _is_finished(sweep.run(run), run.experiment.rounds)}
        tasks = [
            Task(
                run.number,
                {
                    "folder": str(sweep.run(run).absolute()),
                    "fields": grid.fields(run),
                    "base": str(grid.folder.absolute()),
                    "digest": run.digest,
                    "rounds": run.experiment.rounds,
                    "settings": msgspec.to_builtins(settings),
                },
            )
            for run in grid.runs
            if run.number not in kept
        ]
        with watching(grid.runs, kept, quiet) as tally:
            around = Surroundings(sweep.path.absolute(), options or {}, settings.address)
            interrupted = bool(tasks) and make_pool(min(jobs, len(tasks)), tally, around).run(tasks)
        failed = {grid.runs[number].name: why for number, why in sorted(tally.failed.items())}
        rows: list[Row] = []
        aggregates: list[Aggregate] = []
        report, warnings = None, []
        done = tally.ended - len(failed)
        if not interrupted:
            rows = table_rows(grid, sweep, tally.failed)
            failed |= {
                row.cells["run"]: row.cells["why"] or f"it is not done, but {row.cells['state']}"
                for row in rows
                if row.cells["state"] != "done"
            }
            done = len(rows) - len(failed)
            aggregates = aggregate(rows, grid.varying)
            unwritten = write_table(rows, sweep.path)
            write_aggregates(aggregates, grid.varying, sweep.path)
            report, warning = _write_report(sweep, rows)
            warnings = [line for line in (unwritten, warning) if line]
    return Sweep(
        folder=folder, runs=len(grid.runs), done=done, kept=len(kept), failed=failed,
        interrupted=interrupted, seconds=time.monotonic() - began, rows=rows, aggregates=aggregates,
        report=report, warnings=tuple(warnings),
    )  # fmt: skip


def write_aggregates(aggregates: Sequence[Aggregate], axes: Sequence[str], folder: Path) -> None:
    """Write `aggregates.csv`: a row a configuration and measure."""
    names = [axis for axis in axes if axis != "seed"]
    rows = []
    for measured in aggregates:
        row: dict[str, Any] = asdict(measured)
        configuration = row.pop("configuration")
        rows.append({name: configuration.get(name) for name in names} | row)
    columns = [*names, "measure", "runs", "mean", "iqm", "low", "high", "reason"]
    write_csv(rows, columns, folder / files.AGGREGATES)


def _is_finished(folder: Path, rounds: int) -> bool:
    try:
        if not folder.exists():
            return False
        run = RunFolder(folder)
        return run.experiment.rounds == rounds and completed(run, curves=False)
    except InputError:
        return False  # the worker that takes it up says what is wrong with it


def _write_report(sweep: SweepFolder, rows: Sequence[Row]) -> tuple[Path | None, str]:
    """Write `report.html`; return where, or what went wrong, which is no reason to fail a sweep."""
    done = [row.cells["run"] for row in rows if row.cells["state"] == "done"]
    if len(done) < 2:
        return None, ""
    target = sweep.path / files.REPORT
    try:
        from bnpg.report.comparison_page import comparison_report
        from bnpg.report.page import render_page
        from bnpg.report.recorded_run import read_run

        page = comparison_report([read_run(sweep.path / "runs" / name) for name in done])
        write_atomically(target, render_page(page).encode(), fsync=False)
    except ModuleNotFoundError as error:
        return None, f"{target} is not written: {lacks_extra(error) or error}"
    except (InputError, StorageFailed) as error:
        return None, f"{target} could not be written: {error}"
    return target, ""
