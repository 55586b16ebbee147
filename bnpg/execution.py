"""Running what is in a run folder to its end: common to the command line, the Python interface and sweeps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnpg.certificate import FILES as CERTIFICATE_FILES
from bnpg.exports.exporting import exporting
from bnpg.launchers.settings import TRACE_FOLDER, LaunchSettings, Outcome
from bnpg.rounding import check_rounding
from bnpg.run_folder import in_use
from bnpg.summary import draw_curves, finish_summary
from bnpg.trace.heads import forget_heads, write_heads

OnLine = Callable[[dict[str, Any]], None]
Launch = Callable[[Path, LaunchSettings, OnLine], Outcome]


@dataclass(frozen=True)
class Execution:
    """How a run ended.

    Parameters
    ----------
    outcome : Outcome
        What the launcher says.
    summary : dict
        What `summary.json` says.
    warnings : tuple of str
        What else went wrong and is no reason to fail a run.
    """

    outcome: Outcome
    summary: dict[str, Any]
    warnings: tuple[str, ...]


def find_launcher(name: str) -> Launch:
    """Return the launcher of a name."""
    if name == "memory":
        from bnpg.launchers.memory import launch as in_memory

        return in_memory
    from bnpg.launchers.local import launch as as_processes

    return as_processes


def execute(
    folder: Path,
    settings: LaunchSettings,
    launch: Launch,
    watcher: OnLine,
    *,
    announce: Callable[[], None] | None = None,
    curves: bool = True,
) -> Execution:
    """Run, or go on with, the run in a folder.

    Parameters
    ----------
    folder : Path
        A run folder with its experiment; nobody else may be running it.
    settings : LaunchSettings
    launch : callable
        The launcher.
    watcher : callable
        Called with every line of the run record as it is written.
    announce : callable, optional
        Called as soon as it is sure that nobody else runs this run.
    curves : bool
        Whether to draw `curves.png`.

    Raises
    ------
    InputError
        If the folder is in use, its files cannot be used, or it was begun on a host that rounds differently.
    """
    check_rounding(folder)
    with in_use(folder):
        if announce is not None:
            announce()
        for stale in ("summary.json", *CERTIFICATE_FILES):
            (folder / stale).unlink(missing_ok=True)
        forget_heads(folder)
        with exporting(folder, settings.log) as exports:

            def on_line(line: dict[str, Any]) -> None:
                exports(line)
                watcher(line)

            outcome = launch(folder, settings, on_line)
        write_heads(folder, folder / TRACE_FOLDER)
        summary = finish_summary(folder, outcome)
        warnings = [*exports.troubles, draw_curves(folder) if curves else ""]
    return Execution(outcome, summary, tuple(warning for warning in warnings if warning))
