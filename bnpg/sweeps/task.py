"""One run of a sweep, whoever runs it.

A sweep that goes on just after it was killed finds its runs in the hands of workers that are still ending
them. So a run that is in use is waited for, as long as such a worker may take, and read anew then.
"""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnpg_coordinator.line import Line
from bnpg_protocol.process.awake import LOOK_EVERY, Awake
from bnpg_protocol.process.surroundings import no_defect
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.execution import execute
from bnpg.failures import failure
from bnpg.launchers.launch import OnLine
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings, Outcome, settings_from
from bnpg.lease import InUse
from bnpg.resumption import check_resumable, completed
from bnpg.run_creation import create_run_folder
from bnpg.run_folder import RunFolder
from bnpg.sweeps.grid import plan_of
from bnpg_math.errors import InputError

Report = Callable[..., None]
Ended = threading.Event
NEVER = threading.Event()
"""Nobody ends the run."""
IN_USE = 12.0
"""Seconds to wait for a run that is in use; more than the worker of a sweep that is dead has it for."""


def _nobody(**_report: Any) -> None:
    """Tell nobody."""


def run_task(task: dict[str, Any], report: Report = _nobody, ending: Ended = NEVER) -> dict[str, Any]:
    """Run, or go on with, one run; return how it ended.

    Parameters
    ----------
    task : dict
    report : callable
        Called with every round that is recorded.
    ending : Event
        Whether the run is to be ended in order.
    """

    def on_line(line: Line) -> None:
        report(round=line.round)
        if ending.is_set():
            # The interrupt may have come before the launcher listened.
            signal.raise_signal(signal.SIGINT)

    awake = Awake()
    try:
        while True:
            try:
                outcome = _outcome(task, on_line)
                return {"code": int(outcome.code), "why": outcome.why}
            except InUse:
                if awake() >= IN_USE:
                    raise
                if ending.wait(LOOK_EVERY):
                    return {"code": int(ExitCode.INTERRUPTED), "why": "interrupted"}
    except InputError as error:
        return {"code": int(ExitCode.USAGE), "why": str(error)}
    except StorageFailed as error:
        return {"code": int(ExitCode.STORAGE), "why": str(error)}
    except MemoryError:
        return {"code": int(ExitCode.USAGE), "why": "this does not fit into memory"}
    except Exception as error:
        defect = f"a defect of bnpg, please report it: {type(error).__name__}: {error}"
        code, why = no_defect(error) or failure(error) or (ExitCode.INTERNAL, defect)
        return {"code": int(code), "why": why}


def _outcome(task: dict[str, Any], on_line: OnLine) -> Outcome:
    """Bring a run to its end, if it is not there already; return how it ended."""
    settings = settings_from(task["settings"])
    run = _begun(task, Path(task["folder"]), settings)
    if completed(run, curves=False):
        return Outcome(ExitCode.DONE, "", 0)
    return execute(run, settings, find_launcher(settings.launcher), on_line, curves=False).outcome


def _begun(task: dict[str, Any], folder: Path, settings: LaunchSettings) -> RunFolder:
    """Return the folder of a run: a new one, or the one in which it was begun."""
    if not folder.exists():
        plan = plan_of(task["fields"], Path(task["base"]), task["digest"])
        return create_run_folder(plan, settings, folder)
    run = RunFolder(folder)
    check_resumable(run)
    if run.experiment.rounds != task["rounds"]:
        raise InputError(
            f"{folder} was given {run.experiment.rounds} rounds since, expected {task['rounds']}: "
            "move it away, and it is run again"
        )
    return run
