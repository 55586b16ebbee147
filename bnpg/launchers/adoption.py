"""Starting many processes at once, as children of this one.

They are forked by a process that has imported everything already (`bnpg.launchers.nursery`) and that ends at
once. The kernel gives its orphans to their nearest ancestor that is a *subreaper*, which this process is for
that moment: it can wait for them like for any other child. Only Linux has this; see `adopt`.
"""

import ctypes
import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from bnpg.launchers.place import Order

NURSERY_PATIENCE = 60.0
"""Seconds the nursery may take: it imports numpy and the like from a disk that may be cold."""
FORK_PATIENCE = 0.5
"""Seconds more for each process: those that are forked already want the cores, too."""
_AGAIN = 0.01
"""Seconds between two looks at whether a process has ended, where the machine does not tell."""
_SET_SUBREAPER, _GET_SUBREAPER = 36, 37
_subreaper = threading.Lock()


class Adopted:
    """A child that another process has started; used like a `subprocess.Popen`.

    Parameters
    ----------
    pid : int
    stdin : file
        The writing end of its standard input.
    """

    def __init__(self, pid: int, stdin: BinaryIO) -> None:
        self.pid = pid
        self.stdin = stdin
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, or None as long as it runs; a signal that killed it counts as negative."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises
        ------
        subprocess.TimeoutExpired
            If it still runs after `timeout` seconds.
        """
        if self.poll() is None:
            try:
                process = os.pidfd_open(self.pid)
            except OSError:  # no descriptor is left for it
                self._look_again_and_again(timeout)
            else:
                try:
                    ended = select.poll()
                    ended.register(process, select.POLLIN)
                    ended.poll(None if timeout is None else max(0.0, timeout) * 1000.0)
                finally:
                    os.close(process)
        code = self.poll()
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def _look_again_and_again(self, timeout: float | None) -> None:
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(_AGAIN)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def adopt(orders: Sequence[Order], environment: Mapping[str, str]) -> list[Adopted]:
    """Start processes that are forked from one, and return them in their order.

    Returns
    -------
    list of Adopted
        Empty if this machine has no such thing, or if the processes could not be started this way.
    """
    if not _tells_of_ends():
        return []
    pipes: list[tuple[int, int]] = []
    started: list[Adopted] = []
    try:
        pipes += (os.pipe() for _ in orders)
        with _as_subreaper() as possible:
            pids = _forked(orders, [reading for reading, _ in pipes], environment) if possible else []
        started = [Adopted(pid, os.fdopen(pipes[at][1], "wb", 0)) for at, pid in enumerate(pids)]
    finally:
        for reading, _ in pipes:
            os.close(reading)
        for _, writing in pipes[len(started) :]:
            # Whatever was started nevertheless has lost its lifeline with this, and ends.
            os.close(writing)
    return started


def _tells_of_ends() -> bool:
    """Whether this machine says when a process ends that is no child of ours; kernels before 5.3 do not."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _forked(orders: Sequence[Order], inputs: Sequence[int], environment: Mapping[str, str]) -> list[int]:
    """Let the nursery fork the processes; return their ids, or nothing if it could not."""
    commands = [
        {"package": order.package, "arguments": list(order.arguments), "stdin": stdin}
        for order, stdin in zip(orders, inputs, strict=True)
    ]
    with subprocess.Popen(
        # -P: the packages of this project, not folders of the same names where the user happens to be.
        [sys.executable, "-P", "-m", "bnpg.launchers.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        pass_fds=inputs,
        env=environment,
    ) as nursery:
        try:
            patience = NURSERY_PATIENCE + FORK_PATIENCE * len(orders)
            output, _ = nursery.communicate(json.dumps(commands).encode(), patience)
        except subprocess.TimeoutExpired:
            nursery.kill()
            return []
    with suppress(ValueError):
        return [int(pid) for pid in json.loads(output)]
    return []


@contextmanager
def _as_subreaper() -> Iterator[bool]:
    """Get the orphans of this process's children meanwhile; False if that is not possible here."""
    with _subreaper:
        control = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
        before = ctypes.c_int(0)
        if control is None or control(_GET_SUBREAPER, ctypes.byref(before), 0, 0, 0) != 0:
            yield False
            return
        possible = control(_SET_SUBREAPER, 1, 0, 0, 0) == 0
        try:
            yield possible
        finally:
            control(_SET_SUBREAPER, before.value, 0, 0, 0)
