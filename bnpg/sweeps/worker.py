"""A process that runs one run of a sweep after the other: `python -m bnpg.sweeps.worker`.

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
from typing import Any, TextIO

from bnpg_protocol.process.streams import patient
from bnpg_protocol.process.surroundings import OURS
from bnpg_protocol.process.the_end import end_at_once, end_soon
from bnpg_protocol.process.threads import use_one_thread

use_one_thread()  # before anything imports numpy

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
    OURS.set()
    stream = patient(os.dup(sys.stdout.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not garble the reports
    report, tasks, ending = Reports(stream), queue.SimpleQueue[dict[str, Any] | None](), threading.Event()
    # Between runs an interrupt means nothing; during a run the launcher notes it.
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=_listen, args=(tasks, ending), daemon=True).start()
    threading.Thread(target=_live, args=(report,), daemon=True).start()
    from bnpg.notices import printed_by
    from bnpg.sweeps.task import run_task  # numpy comes with it, and must find the variables above

    with printed_by(lambda text: report(warning=text), others=bool(sys.warnoptions)):
        while (task := tasks.get()) is not None:
            if ending.is_set():
                break
            report(ended=run_task(task, report, ending))
    end_soon(0, "bnpg")  # a run's environment may have left threads at work
    return 0


def _listen(tasks: "queue.SimpleQueue[dict[str, Any] | None]", ending: threading.Event) -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    ending.set()
    tasks.put(None)
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(GRACE)
    end_at_once(1)


def _live(report: Reports) -> None:
    pause = threading.Event()
    while not pause.wait(ALIVE_EVERY):
        report(alive=True)


if __name__ == "__main__":
    sys.exit(main())
