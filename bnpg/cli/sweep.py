"""`bnpg sweep`: a grid of experiments, in parallel, into one table."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.cli.options import debug_option, given, integer, json_option, options_of, quiet_option
from bnpg.durations import duration
from bnpg.launchers.settings import LaunchSettings
from bnpg.measures import named
from bnpg.sweeps import files

if TYPE_CHECKING:
    from bnpg.sweeps.aggregates import Aggregate
    from bnpg.sweeps.running import Sweep

_SHOWN = named("value", "optimality_gap", "nash_gap", "score")
_PLAYED = named("return_mean")
"""What is shown too where something was not evaluated exactly."""


@click.command(short_help="Run a grid of experiments in parallel, into one table.")
@click.argument("grid_file", metavar="GRID.toml", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the sweep; one of the same grid is continued.  [sweeps/GRID]",
)
@click.option("--jobs", type=integer(1, 4096), metavar="N", help="Runs at a time.  [the machine's cores]")
@click.option(
    "--engine",
    default="local",
    metavar="[local|slurm|ray]",
    help="Where the runs are: on this machine, in an array of Slurm jobs, on a Ray cluster.  [local]",
)
@click.option(
    "--sbatch",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the Slurm jobs, such as time=2:00:00; may be given several times.",
)
@click.option(
    "--samples",
    type=integer(1, 100_000),
    metavar="N",
    help="Points of a random search, instead of what the file says.",
)
@click.option("--dry-run", is_flag=True, help="Check the grid, list its runs and end; nothing is written.")
@options_of(LaunchSettings, launcher="memory")
@json_option
@quiet_option
@debug_option
def sweep(
    grid_file: Path,
    out: Path | None,
    jobs: int | None,
    engine: str,
    sbatch: tuple[str, ...],
    samples: int | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Run every combination of a grid, such as games x DAGs x seeds; then write table, statistics and report.

    The file has two tables: [base] with what all runs share, [grid] with a list of values for each field that
    varies. Any field of an experiment may stand in either. A third, [random], draws points from lists and
    ranges, which are the same for the same file. The same command again goes on where a sweep was interrupted
    or killed; what is done is not repeated.

    \b
    Example:
      [base]
      mode = "exact"
      learning-rate = 0.5
      [grid]
      game = ["climbing", "penalty"]
      dag = ["empty", "0-1"]
      seed = [0, 1, 2, 3]
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.launchers.registry import find_pool
    from bnpg.launchers.settings import settings_from
    from bnpg.launchers.slurm_script import job_options
    from bnpg.sweeps.folder import available_cores, default_folder
    from bnpg.sweeps.grid import read_grid
    from bnpg.sweeps.running import run_sweep

    settings = settings_from(given(options, LaunchSettings, launcher="memory"))
    make_pool = find_pool(engine)
    job = job_options(sbatch)
    grid = read_grid(grid_file, samples)
    if dry_run:
        names, points = [run.name for run in grid.runs], [run.point for run in grid.runs]
        listed = {"runs": len(names), "names": names, "points": points}
        click.echo(json.dumps(listed) if as_json else "\n".join(names))
        return ExitCode.DONE
    folder = out or default_folder(grid_file)
    jobs = jobs or available_cores()
    if not quiet:
        runs = f"{len(grid.runs)} run" + "s" * (len(grid.runs) > 1)
        click.echo(f"bnpg: {runs}, at most {jobs} at a time; folder {folder}", err=True)
    ended = run_sweep(grid, folder, jobs, settings, quiet=quiet, make_pool=make_pool, options=job)
    for warning in ended.warnings:
        click.echo(f"bnpg: warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps(_as_json(ended)))
    elif not ended.interrupted:
        click.echo(_in_words(ended, ranked=grid.search is not None))
    if ended.interrupted:
        done = f"{ended.done} of {ended.runs} runs are done"
        again = f"bnpg sweep {grid_file}" + (f" --samples {samples}" if samples else "")
        again += f" --out {out}" if out else ""
        click.echo(f"bnpg: interrupted, {done}; continue with: {again}", err=True)
        return ExitCode.INTERRUPTED
    if ended.failed:
        name, why = next(iter(ended.failed.items()))
        tell_error(f"{len(ended.failed)} of {ended.runs} runs failed, the first is {name}: {why}")
        return ExitCode.PEER_FAILED
    return ExitCode.DONE


def _as_json(ended: "Sweep") -> dict[str, Any]:
    from dataclasses import asdict

    whole = not ended.interrupted
    return {
        "runs": ended.runs,
        "done": ended.done,
        "kept": ended.kept,
        "failed": ended.failed,
        "interrupted": ended.interrupted,
        "seconds": round(ended.seconds, 3),
        "sweep_dir": str(ended.folder.absolute()),
        "table": str((ended.folder / files.TABLE).absolute()) if whole else None,
        "parquet": str((ended.folder / files.PARQUET).absolute()) if whole else None,
        "report": None if ended.report is None else str(ended.report.absolute()),
        "aggregates": [asdict(aggregate) for aggregate in ended.aggregates],
    }


def _in_words(ended: "Sweep", ranked: bool) -> str:
    kept = f", {ended.kept} of them before" if ended.kept else ""
    lines = [f"Done: {ended.done} of {ended.runs} runs{kept}, in {duration(ended.seconds)}", ""]
    lines += _table(ended.aggregates, ranked)
    lines += ["", f"Files in {ended.folder}"]
    for name, meaning in (
        (files.REPORT, "the runs compared, for any browser"),
        (files.TABLE, f"a row a run; {files.PARQUET} is the same"),
        (files.AGGREGATES, "a row a configuration and measure"),
        ("runs", "a run folder each"),
    ):
        if (ended.folder / name).exists():
            lines.append(f"  {name:<15} {meaning}")
    return "\n".join(lines)


def _table(aggregates: "list[Aggregate]", ranked: bool = False) -> list[str]:
    """Return the interquartile means with their intervals as lines of text; ranked, the best score first."""
    from bnpg.sweeps.aggregates import ALL_GAMES

    configurations: dict[str, dict[str, Aggregate]] = {}
    for aggregate in aggregates:
        words = ", ".join(f"{name} {value}" for name, value in aggregate.configuration.items()) or "all runs"
        words = words.replace(f"game {ALL_GAMES}", ALL_GAMES)
        configurations.setdefault(words, {})[aggregate.measure] = aggregate
    if ranked:
        configurations = dict(sorted(configurations.items(), key=lambda item: _rank(item[1])))
    measured = [
        {measure for measure, aggregate in found.items() if aggregate.iqm is not None}
        for found in configurations.values()
    ]
    exact = all("value" in found or "score" in found for found in measured)
    shown = {
        measure: name
        for measure, name in (_SHOWN if exact else _SHOWN | _PLAYED).items()
        if any(measure in found for found in measured)
    }
    if not shown:
        return ["  nothing was evaluated exactly (evaluate-every), and nothing was sampled"]
    cells = [["", "runs", *shown.values()]]
    for words, found in configurations.items():
        runs = max(aggregate.runs for aggregate in found.values())
        cells.append([words, str(runs), *(_cell(found.get(measure)) for measure in shown)])
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    rows = [
        "  " + "   ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        for row in cells
    ]
    note = "  Interquartile means over the seeds [interval at about 95 %]"
    note += "; a score of 0 is acting at random, 1 the best joint policy." if "score" in shown else "."
    reasons = {found.reason for found in aggregates if found.configuration.get("game") == ALL_GAMES}
    notes = [f"  {ALL_GAMES.capitalize()}: {reason}." for reason in sorted(reasons) if reason]
    return [*(row.rstrip() for row in rows), "", note, *notes]


def _rank(found: "dict[str, Aggregate]") -> float:
    """Return less for a better configuration: by its score, else by its return."""
    measured = (found[name].iqm for name in ("score", "return_mean") if name in found)
    return -next((number for number in measured if number is not None), -math.inf)


def _cell(aggregate: "Aggregate | None") -> str:
    if aggregate is None or aggregate.iqm is None:
        return "-"
    if aggregate.low is None or aggregate.high is None:
        return f"{aggregate.iqm:.4g}"
    return f"{aggregate.iqm:.4g} [{aggregate.low:.4g}, {aggregate.high:.4g}]"
