"""Running what is in a run folder and showing how it ended: common to `train` and `resume`."""

import json
from pathlib import Path
from typing import Any

import click
from bnpg_coordinator.experiment import read_experiment
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.execution import execute, find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.live.watching import watching
from bnpg.run_folder import read_identity
from bnpg.summary import finite, human_summary


def launch_run(folder: Path, settings: LaunchSettings, *, as_json: bool, quiet: bool) -> int:
    """Run, or go on with, the run in a folder; show the summary and return the exit code."""
    experiment = read_experiment(folder / "experiment.toml")
    launch = find_launcher(settings.launcher)

    def announce() -> None:
        if not quiet:
            click.echo(_heading(folder, experiment.mode, experiment.dag, settings.launcher), err=True)

    try:
        with watching(folder, quiet) as watcher:
            ended = execute(folder, settings, launch, watcher, announce=announce)
    except KeyboardInterrupt:
        click.echo(f"bnpg: interrupted; continue with: bnpg resume {folder}", err=True)
        return ExitCode.INTERRUPTED
    outcome, summary = ended.outcome, ended.summary
    for warning in ended.warnings:
        click.echo(f"bnpg: warning: {warning}", err=True)
    _show(folder, summary, as_json)
    if outcome.code == ExitCode.INTERRUPTED:
        where = f"in round {summary['rounds']} of {experiment.rounds}"
        click.echo(f"bnpg: interrupted {where}; continue with: bnpg resume {folder}", err=True)
    elif outcome.code != ExitCode.DONE:
        click.echo(f"bnpg: error: {summary['why']}; the run so far is in {folder}", err=True)
    return int(outcome.code)


def show_finished(folder: Path, *, as_json: bool) -> int:
    """Say that there is nothing left to do, and show the summary."""
    from bnpg.run_folder import read_summary

    summary = read_summary(folder) or {}
    click.echo(f"bnpg: {folder} is finished already: all {summary['rounds']} rounds are done", err=True)
    _show(folder, summary | {"run_dir": str(folder.absolute())}, as_json)
    return ExitCode.DONE


def _show(folder: Path, summary: dict[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(finite(summary)) if as_json else human_summary(folder, summary))


def _heading(folder: Path, mode: str, dag: str, launcher: str) -> str:
    game = read_identity(folder)["game"]
    where = "in this process" if launcher == "memory" else "a process for the coordinator and for every agent"
    return f"bnpg: {game}, {mode} mode, DAG {dag}, {where}; run folder {folder}"
