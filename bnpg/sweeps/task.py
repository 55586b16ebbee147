"""One run of a sweep, whoever runs it."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnpg_coordinator.line import Line
from bnpg_protocol.process.surroundings import no_defect
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.execution import execute
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings, settings_from
from bnpg.resumption import check_resumable, completed
from bnpg.run_creation import create_run_folder
from bnpg.run_folder import RunFolder
from bnpg.sweeps.grid import plan_of
from bnpg_math.errors import InputError

Report = Callable[..., None]
Ended = threading.Event
NEVER = threading.Event()
"""Nobody ends the run."""


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

    folder = Path(task["folder"])
    try:
        settings = settings_from(task["settings"])
        run = _begun(task, folder, settings)
        if not completed(run, curves=False):
            outcome = execute(run, settings, find_launcher(settings.launcher), on_line, curves=False).outcome
            return {"code": int(outcome.code), "why": outcome.why}
    except InputError as error:
        return {"code": int(ExitCode.USAGE), "why": str(error)}
    except StorageFailed as error:
        return {"code": int(ExitCode.STORAGE), "why": str(error)}
    except MemoryError:
        return {"code": int(ExitCode.USAGE), "why": "this does not fit into memory"}
    except Exception as error:
        defect = f"a defect of bnpg, please report it: {type(error).__name__}: {error}"
        code, why = no_defect(error) or (ExitCode.INTERNAL, defect)
        return {"code": int(code), "why": why}
    return {"code": int(ExitCode.DONE), "why": ""}


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
