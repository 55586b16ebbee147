"""Running from Python what is in a run folder: the same runs and bits as `bnpg train` and `bnpg resume`."""

import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnpg_coordinator.line import Line, fields_of
from bnpg_coordinator.worlds.interface import WorldFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.api.preparation import Prepared, settings_of
from bnpg.api.recorded import Run
from bnpg.api.wording import in_python_words
from bnpg.execution import execute
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.live.watching import watching
from bnpg.report.recorded_run import recorded
from bnpg.resumption import check_resumable, completed, resumable
from bnpg.run_folder import RunFolder
from bnpg_files.paths import as_path
from bnpg_files.quoting import quoted
from bnpg_math.errors import InputError

Pathlike = str | os.PathLike[str]


class RunFailed(RuntimeError):
    """A run that could not be brought to its end. What was done so far is kept and can be resumed.

    Parameters
    ----------
    why : str
    code : ExitCode
        With which the command line would have ended.
    folder : Path or None
        The run folder; None if it is not kept.
    """

    def __init__(self, why: str, code: ExitCode, folder: Path | None) -> None:
        super().__init__(why if folder is None else f"{why}; the run so far is in {folder}")
        self.why = why
        self.code = code
        self.folder = folder


RunFailed.__module__ = "bnpg"  # a traceback names it as whoever catches it does


@in_python_words
def resume(
    folder: Pathlike,
    *,
    rounds: int | None = None,
    env: Any = None,
    progress: bool = False,
    on_line: Callable[[dict[str, Any]], bool | None] | None = None,
) -> Run:
    """Continue an interrupted run to its end, launched as it was before; a finished one is only loaded.

    Parameters
    ----------
    folder : path
        The run folder.
    rounds : int
        Go on to so many rounds altogether, a finished run too: no fewer than are done.
    env : callable or World
        What is played, where it was handed over as an object that no name leads to.
    progress, on_line
        As in :func:`train`.

    Returns
    -------
    Run
        The one that the uninterrupted run, of so many rounds from the start, would have been, to the bit.

    Raises
    ------
    InputError, RunFailed, KeyboardInterrupt
        As in :func:`train`.
    """
    check_on_line(on_line)
    run = RunFolder(as_path(folder, "the folder of a run", InputError))
    if env is not None:
        run.hand_over(env)
    asked = None if rounds is None else settings_of({"rounds": rounds})["rounds"]
    try:
        run = resumable(run, asked)
    except WorldFailed as error:
        raise RunFailed(str(error), error.code, run.path) from None
    if completed(run):
        return Run(recorded(run))
    return run_to_the_end(run, run.settings, progress, on_line, rounds=asked)


def check_on_line(on_line: Any) -> None:
    """Refuse what cannot be called with a line.

    Raises
    ------
    InputError
    """
    if on_line is not None and not callable(on_line):
        raise InputError(f"on_line must be a function of a line of the record, got {quoted(on_line)}")


def run_prepared(
    prepared: Prepared,
    progress: bool,
    on_line: Callable[[dict[str, Any]], bool | None] | None,
) -> Run:
    """Run what was prepared, or what is left of it.

    Raises
    ------
    RunFailed, KeyboardInterrupt
        As in `bnpg.train`.
    """
    run, owner = prepared.run, os.getpid()
    if not prepared.kept:
        try:
            ended = run_to_the_end(run, prepared.settings, progress, on_line, curves=False)
        except (RunFailed, KeyboardInterrupt):
            raise  # what was done so far is where the error says
        except BaseException:
            _remove(run.path.parent, owner)
            raise
        weakref.finalize(ended, _remove, run.path.parent, owner)
        return ended
    check_resumable(run)
    if completed(run):
        return Run(recorded(run))
    return run_to_the_end(run, prepared.settings, progress, on_line)


def _remove(folder: Path, owner: int) -> None:
    """Remove a temporary folder, unless this process is only a fork of the one that it belongs to."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def run_to_the_end(
    run: RunFolder,
    settings: LaunchSettings,
    progress: bool,
    on_line: Callable[[dict[str, Any]], bool | None] | None,
    *,
    rounds: int | None = None,
    curves: bool = True,
) -> Run:
    """Run, or go on with, the run in a folder, to so many rounds if that is asked for.

    Raises
    ------
    RunFailed, KeyboardInterrupt
        As in `bnpg.train`.
    """
    stopped = False
    with watching(run, quiet=not progress) as watcher:

        def look(line: Line) -> bool:
            nonlocal stopped
            watcher(line)
            stopped = stopped or (on_line is not None and on_line(fields_of(line)) is True)
            return stopped

        launch = find_launcher(settings.launcher)
        ended = execute(run, settings, launch, look, rounds=rounds, curves=curves)
    code = ended.outcome.code
    if code == ExitCode.INTERRUPTED and not stopped:
        where = f"in round {ended.summary['rounds']} of {run.experiment.rounds}"
        raise KeyboardInterrupt(f"interrupted {where}; continue with bnpg.resume({str(run.path)!r})")
    if code not in (ExitCode.DONE, ExitCode.INTERRUPTED):
        raise RunFailed(ended.summary["why"], code, run.path)
    return Run(recorded(run))
