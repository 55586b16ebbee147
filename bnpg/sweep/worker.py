"""A process that runs one run of a sweep after the other: `python -m bnpg.sweep.worker`.

Tasks come as lines of JSON on standard input, reports go as lines of JSON to standard output. When the input
ends, because the sweep is over, interrupted or dead, the present run is ended in order and so is the process:
no worker outlives its sweep, and its run can be resumed.
"""

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from bnpg_coordinator.line import Line

# One BLAS thread: the number of threads may change the last bit of a sum. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

ALIVE_EVERY = 5.0
"""Seconds between two signs of life."""
GRACE = 8.0
"""Seconds a run has to end in order."""


class Reports:
    """The way back to the sweep; several threads may report.

    Parameters
    ----------
    stream : text file
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, **report: Any) -> None:
        """Send one report; without a sweep that listens there is nobody to tell."""
        with self._lock:
            try:
                print(json.dumps(report), file=self._stream, flush=True)
            except (BrokenPipeError, ValueError):
                return


def main() -> int:
    """Run until the input ends."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not garble the reports
    report, tasks, ending = Reports(stream), queue.SimpleQueue[dict[str, Any] | None](), threading.Event()
    # Between runs an interrupt means nothing; during a run the launcher notes it.
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=_listen, args=(tasks, ending), daemon=True).start()
    threading.Thread(target=_live, args=(report,), daemon=True).start()
    while (task := tasks.get()) is not None:
        if ending.is_set():
            break
        report(ended=_run(task, report, ending))
    return 0


def _listen(tasks: "queue.SimpleQueue[dict[str, Any] | None]", ending: threading.Event) -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    ending.set()
    tasks.put(None)
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(GRACE)
    os._exit(1)


def _live(report: Reports) -> None:
    pause = threading.Event()
    while not pause.wait(ALIVE_EVERY):
        report(alive=True)


def _run(task: dict[str, Any], report: Reports, ending: threading.Event) -> dict[str, Any]:
    """Run, or go on with, one run; return how it ended."""
    from bnpg_protocol.wire.errors import StorageFailed
    from bnpg_protocol.wire.exit_codes import ExitCode

    from bnpg.execution import execute, find_launcher
    from bnpg.launchers.settings import settings_from
    from bnpg.resumption import check_resumable, completed
    from bnpg.run_creation import create_run_folder
    from bnpg.run_folder import RunFolder
    from bnpg.sweep.grid import plan_of
    from bnpg_math.errors import InputError

    def on_line(line: Line) -> None:
        report(round=line.round)
        if ending.is_set():
            # The interrupt may have come before the launcher listened.
            signal.raise_signal(signal.SIGINT)

    folder = Path(task["folder"])
    try:
        settings = settings_from(task["settings"])
        if not folder.exists():
            plan = plan_of(task["fields"], Path(task["base"]), task["digest"])
            run = create_run_folder(plan, settings, folder)
        else:
            run = RunFolder(folder)
            check_resumable(run)
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
        why = f"a defect of bnpg, please report it: {type(error).__name__}: {error}"
        return {"code": int(ExitCode.INTERNAL), "why": why}
    return {"code": int(ExitCode.DONE), "why": ""}


if __name__ == "__main__":
    sys.exit(main())
