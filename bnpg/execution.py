"""Running what is in a run folder to its end: common to the command line, the Python interface and sweeps."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from bnpg_coordinator import run_files
from bnpg_coordinator.line import Line
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.certificate import FILES as CERTIFICATE_FILES
from bnpg.exports.exporting import exporting
from bnpg.launchers.launch import Launch, OnLine
from bnpg.launchers.registry import check_seal
from bnpg.launchers.rendezvous import forsake
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.lease import lease
from bnpg.resumption import align, concluded, lost_since, take_up
from bnpg.rounding import check_rounding
from bnpg.run_creation import check_faults, read_faults
from bnpg.run_folder import RunFolder
from bnpg.summary import draw_curves, finish_summary
from bnpg.trace.heads import forget_heads, write_heads
from bnpg_math.errors import named_in


@dataclass(frozen=True)
class Execution:
    """How a run ended.

    Parameters
    ----------
    outcome : Outcome
        What the launcher says.
    summary : dict
        What `summary.json` says; of a run that could not go on, with why.
    warnings : tuple of str
        What else went wrong and is no reason to fail a run.
    """

    outcome: Outcome
    summary: dict[str, Any]
    warnings: tuple[str, ...]


def execute(
    run: RunFolder,
    settings: LaunchSettings,
    launch: Launch,
    watcher: OnLine,
    *,
    rounds: int | None = None,
    announce: Callable[[], None] | None = None,
    curves: bool = True,
    children: str = "*",
    quiet: bool = True,
) -> Execution:
    """Run, or go on with, the run in a folder; of a run that is concluded, do what is missing.

    Parameters
    ----------
    run : RunFolder
        A run folder with its experiment; nobody else may be running it, nor have changed it since.
    settings : LaunchSettings
    launch : callable
        The launcher.
    watcher : callable
        Called with every line of the run record as it is written; True ends the run in order.
    rounds : int, optional
        As many as a run that goes on was asked to have; they are written down.
    announce : callable, optional
        Called as soon as it is sure that nobody else runs this run.
    curves : bool
        Whether to draw `curves.png`.
    children : str
        Pattern of the names of the processes that have ended when the launcher returns.
    quiet : bool
        Show no progress of what is done at the end.

    Raises
    ------
    InputError
        If the folder is in use, was changed since it was read, its files cannot be used, or it was begun on
        a host that rounds differently.
    StorageFailed
        If something cannot be written.
    """
    check_rounding(run)
    kept = settings.seal == run.settings.seal
    check_seal(settings, f"{run.path / run_files.LAUNCH}: seal" if kept else "--seal")
    if settings.faults:
        file = run.path / settings.faults
        with nullcontext() if file.parent == run.path else named_in(run.path / run_files.LAUNCH):
            plan = read_faults(file)
        check_faults(plan, run.dag, settings, str(file))
    with lease(run.path) as fence:
        over, before = concluded(run), run.summary or {}
        done = before.get("state") == "done"
        if done and not over and (why := lost_since(run, settings)):
            return Execution(Outcome(ExitCode.PROTOCOL, why, 0), before | {"state": "failed", "why": why}, ())
        take_up(run, rounds, fence)
        if announce is not None:
            announce()
        if not over:
            for stale in (run_files.SUMMARY, run_files.POLICY, *CERTIFICATE_FILES):
                fence.discard(run.path / stale)
            align(run, fence, done)
        forsake(run.path, fence)
        forget_heads(run.path, fence)
        with exporting(run, settings.log, fence) as exports:

            def on_line(line: Line) -> bool | None:
                exports(line)
                return watcher(line)

            outcome = _outcome(run, settings) if over else launch(run, settings, fence, on_line)
        write_heads(run.path, run.trace, fence, children)
        warnings = [*exports.troubles, draw_curves(run, fence) if curves else ""]
        summary = finish_summary(run, outcome, fence, quiet)
    return Execution(outcome, summary, tuple(warning for warning in warnings if warning))


def _outcome(run: RunFolder, settings: LaunchSettings) -> Outcome:
    """Return what the launcher of a concluded run would have said."""
    processes = 1 if settings.launcher == "memory" else 1 + run.agents
    return Outcome(ExitCode.DONE, "", processes)
