"""Running what is in a run folder and showing how it ended: common to all commands that run something."""

import json
from typing import Any

import click
from bnpg_coordinator import run_files
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.errors import tell_error
from bnpg.execution import execute
from bnpg.launchers.launch import Launch
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.live.watching import watching
from bnpg.resumption import concluded
from bnpg.run_folder import RunFolder
from bnpg.summary import human_summary
from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.dag.routes import messages_a_turn, relayed, saves_most


def launch_run(
    run: RunFolder,
    settings: LaunchSettings,
    *,
    rounds: int | None = None,
    as_json: bool,
    quiet: bool,
    launch: Launch | None = None,
    children: str = "*",
    shown: bool = True,
) -> int:
    """Run, or go on with, the run in a folder; show the summary and return the exit code.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
    rounds : int, optional
        As many as a run that goes on was asked to have.
    as_json : bool
        Whether the summary is shown as an object.
    quiet : bool
        Whether nothing else is said.
    launch : callable, optional
        Instead of the launcher that the settings name.
    children : str
        Pattern of the names of the processes that it starts.
    shown : bool
        Whether the summary is shown at all.
    """

    def announce() -> None:
        if not quiet:
            over = concluded(run)
            click.echo(_heading(run, settings.launcher, over), err=True)
            hint = "" if over else _relay_hint(run, settings)
            if hint:
                click.echo(hint, err=True)

    try:
        with watching(run, quiet) as watcher:
            ended = execute(
                run,
                settings,
                launch or find_launcher(settings.launcher),
                watcher,
                rounds=rounds,
                announce=announce,
                children=children,
                quiet=quiet,
            )
    except KeyboardInterrupt:
        click.echo(f"bnpg: interrupted; continue with: bnpg resume {run.path}", err=True)
        return ExitCode.INTERRUPTED
    outcome, summary = ended.outcome, ended.summary
    for warning in ended.warnings:
        click.echo(f"bnpg: warning: {warning}", err=True)
    if shown:
        _show(run, summary, as_json)
    if outcome.code == ExitCode.INTERRUPTED:
        where = f"in round {summary['rounds']} of {run.experiment.rounds}"
        click.echo(f"bnpg: interrupted {where}; continue with: bnpg resume {run.path}", err=True)
    elif outcome.code != ExitCode.DONE:
        tell_error(f"{summary['why']}; the run so far is in {run.path}")
    return int(outcome.code)


def show_finished(run: RunFolder, *, as_json: bool) -> int:
    """Say that there is nothing left to do, and show the summary."""
    summary = run.summary or {}
    click.echo(f"bnpg: {run.path} is finished already: all {summary['rounds']} rounds are done", err=True)
    recorded = run.lines[-1].round if run.lines else -1
    if recorded < summary["rounds"]:
        where = f"ends at round {recorded}" if run.lines else "holds nothing"
        click.echo(f"bnpg: warning: {run.path / run_files.RECORD} {where}: lines were lost", err=True)
    _show(run, summary | {"run_dir": str(run.path.absolute())}, as_json)
    return ExitCode.DONE


def _show(run: RunFolder, summary: dict[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(finite_fields(summary)) if as_json else human_summary(run, summary))


def _relay_hint(run: RunFolder, settings: LaunchSettings) -> str:
    """Say that a relay would save most messages, of a run that has none; empty where it would not."""
    over_network = run.experiment.mode == "sampled" and settings.launcher != "memory"
    if settings.relay == "on" or not over_network or not saves_most(run.dag):
        return ""
    fewer, now = messages_a_turn(relayed(run.dag)), messages_a_turn(run.dag)
    return (
        f"bnpg: a step takes {now} messages; with --relay on, where agents hand on what they heard, it would "
        f"take {fewer}, to the same result"
    )


def _heading(run: RunFolder, launcher: str, over: bool) -> str:
    experiment = run.experiment
    where = "in this process" if launcher == "memory" else "a process for the coordinator and for every agent"
    if over:
        where = "all rounds are done; writing what is missing"
    game = run.identity["game"]
    learns = "from played episodes" if experiment.mode == "sampled" else "from the known model"
    eta = experiment.learning_rate
    size = eta if isinstance(eta, str) else f"{eta:.4g}"
    ways = {"adam": "Adam", "natural": "natural steps", "normalised": "normalised steps"}
    way = ways.get(experiment.steps_by, experiment.steps_by)
    steps = f"{way} with learning rate {size}"
    if experiment.step_size != "fixed":
        steps = f"{way}, step sizes by {experiment.step_size} from {size}"
    return (
        f"bnpg: {game}, {experiment.mode} mode ({learns}), DAG {experiment.dag}, {steps}, {where}; "
        f"run folder {run.path}"
    )
