"""Worker processes that share the runs of a sweep.

A worker that dies is replaced and its run goes on where it was; only a run whose workers die again and again
is given up, and the others go on without it. A worker gives a sign of life every few seconds, however long a
round takes; one that gives none for long is taken for dead. Only the time in which the sweep itself is awake
counts: where everything was stopped for a while, nobody could have given any.
"""

import json
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bnpg_protocol.process.awake import Awake
from bnpg_protocol.process.endings import noting
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.notices import warn
from bnpg.sweeps.pool import Ending, Listener, Lives, Surroundings, Task

SILENCE = 60.0
"""Seconds awake without a sign of life after which a worker is taken for dead."""
GRACE = 12.0
"""Seconds that workers have to end by themselves; more than a worker gives its run."""
LAST_WORDS = 2.0
"""Seconds for which a worker that died may still be heard."""
LOOK_EVERY = 0.2
"""Seconds between two looks at interrupts and silent workers."""


@dataclass(eq=False)
class _Worker:
    process: "subprocess.Popen[str]"
    heard: float
    task: Task | None = None
    died: float | None = None


class Workers:
    """Runs tasks in parallel.

    Parameters
    ----------
    jobs : int
        Most workers at a time.
    listener : Listener
    command : sequence of str, optional
        What a worker runs.
    """

    def __init__(self, jobs: int, listener: Listener, command: Sequence[str] = ()) -> None:
        self._jobs = jobs
        self._listener = listener
        # -P: the packages of this project, not folders of the same names where the user happens to be.
        self._command = list(command) or [sys.executable, "-P", "-m", "bnpg.sweeps.worker"]
        self._events: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._lives = Lives(listener, "process")
        self._interrupts = 0
        self._awake = Awake()

    def run(self, tasks: Sequence[Task]) -> bool:
        """Run all tasks; return whether that was interrupted, by Ctrl-C or a polite kill."""
        waiting = deque(tasks)
        with noting(self._note):
            try:
                self._work(waiting)
                if self._interrupts:
                    self._wind_up()
            finally:
                self._end_all()
        return self._interrupts > 0

    def _note(self) -> None:
        self._interrupts += 1

    def _work(self, waiting: deque[Task]) -> None:
        while not self._interrupts and (waiting or any(worker.task for worker in self._workers)):
            while waiting and self._hand_out(waiting[0]):
                waiting.popleft()
            again = self._next_event()
            if again is not None:
                waiting.appendleft(again)

    def _hand_out(self, task: Task) -> bool:
        """Give a task to somebody; return whether there was one."""
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None and len(self._workers) < self._jobs:
            worker = self._start()
        if worker is None:
            return False
        worker.task, worker.heard = task, self._awake()
        assert worker.process.stdin is not None
        with suppress(BrokenPipeError):  # then it is dead, and its last event says so
            print(json.dumps(task.content), file=worker.process.stdin, flush=True)
        return True

    def _start(self) -> _Worker:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C in a terminal is for the sweep, which then ends its workers in order.
            start_new_session=True,
        )
        worker = _Worker(process, self._awake())
        self._workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Hand on what a worker reports, and that it is no more; lines of others are passed over."""
        assert worker.process.stdout is not None
        try:
            with worker.process.stdout as reports:
                for line in reports:
                    with suppress(ValueError, RecursionError):
                        report = json.loads(line)
                        if isinstance(report, dict):
                            self._events.put((worker, report))
        except BaseException:
            worker.process.kill()  # nobody hears it any more
            raise
        finally:
            self._events.put((worker, None))

    def _next_event(self) -> Task | None:
        """Take in one event, or look for silence; return a task that must be done by somebody else."""
        for worker in self._workers:
            if self._is_over(worker):
                return self._buried(worker)
        try:
            worker, report = self._events.get(timeout=LOOK_EVERY)
        except queue.Empty:
            now = self._awake()
            for worker in self._workers:
                if worker.task is not None and now - worker.heard > SILENCE:
                    worker.process.kill()
            return None
        if worker not in self._workers:  # buried already
            return None
        worker.heard = self._awake()
        if report is None:
            return self._buried(worker)
        task = worker.task
        if "warning" in report:
            warn(str(report["warning"]))
        elif task is not None and "round" in report:
            self._listener.round_done(task.number, report["round"])
        elif task is not None and "ended" in report:
            worker.task = None
            ending = Ending(ExitCode(report["ended"]["code"]), report["ended"]["why"])
            if ending.code == ExitCode.INTERRUPTED and not self._interrupts:
                return self._left(task, "was interrupted by somebody else")
            self._listener.run_ended(task.number, ending)
        return None

    def _is_over(self, worker: _Worker) -> bool:
        """Whether a worker died a while ago; a child of its environment may hold its pipe for ever."""
        if worker.process.poll() is None:
            return False
        if worker.died is None:
            worker.died = self._awake()
        return self._awake() - worker.died > LAST_WORDS

    def _buried(self, worker: _Worker) -> Task | None:
        """Take a dead worker off the list; return the task it leaves, unless that is given up."""
        self._workers.remove(worker)
        status = worker.process.wait()
        if worker.task is None:
            return None
        how = f"was killed by signal {-status}" if status < 0 else f"ended with code {status}"
        return self._left(worker.task, how)

    def _left(self, task: Task, how: str) -> Task | None:
        """Return a task that was left undone, unless it is given up."""
        return task if self._lives.left(task, how) else None

    def _wind_up(self) -> None:
        """Let everybody end in order and hear how; a second interrupt cuts that short."""
        for worker in self._workers:
            _let_end(worker)
        deadline = time.monotonic() + GRACE
        while self._workers and self._interrupts < 2 and time.monotonic() < deadline:
            self._next_event()

    def _end_all(self) -> None:
        """Leave no process behind."""
        for worker in self._workers:
            _let_end(worker)
        deadline = time.monotonic() + (GRACE if self._interrupts < 2 else 0.0)
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()


def _let_end(worker: _Worker) -> None:
    """Close the input of a worker, after which it ends its run in order and itself."""
    assert worker.process.stdin is not None
    with suppress(BrokenPipeError):
        worker.process.stdin.close()


def local_pool(jobs: int, listener: Listener, _surroundings: Surroundings) -> Workers:
    """Return workers on this machine."""
    return Workers(jobs, listener)
