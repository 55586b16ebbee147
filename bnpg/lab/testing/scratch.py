"""A place for the processes of one test, in which nothing may be left behind.

Every process that a test starts works in this folder and makes its temporary files there. So what is left
behind, even by a launcher that was killed, is known by where it lives, and tests that run side by side do not
see each other's processes.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from bnpg_protocol.process.threads import ONE_THREAD


class Scratch:
    """A folder with a short name: paths of ipc sockets have at most 107 bytes."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="bnpg-test-")).resolve()
        self._excused: list[Path] = []

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process that makes its temporary files here."""
        return os.environ | ONE_THREAD | {"TMPDIR": str(self.path)}

    def processes(self) -> list[psutil.Process]:
        """Return the living processes that work here."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(self.path):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def excuse_files(self) -> None:
        """Take away what lies here now: its owner was killed and could not do it."""
        self._excused += list(self.path.glob("bnpg-*"))

    def leaks(self, patience: float = 60.0) -> list[str]:
        """Return what is left behind: processes, sockets, temporary folders of runs.

        Parameters
        ----------
        patience : float
            Seconds that processes have to end by themselves.
        """
        deadline = time.monotonic() + patience
        while (processes := self.processes()) and time.monotonic() < deadline:
            psutil.wait_procs(processes, timeout=0.1)
        leaks = [f"process {process.pid}: {title(process)}" for process in processes]
        for excused in self._excused:
            shutil.rmtree(excused, ignore_errors=True)
        leaks += [f"folder {left.name}" for left in self.path.glob("bnpg-*") if left.is_dir()]
        leaks += [f"socket {left.name}" for left in self.path.rglob("*") if left.is_socket()]
        return leaks

    def clear(self) -> None:
        """Kill what still works here and remove the folder."""
        kill_all(self.processes())
        shutil.rmtree(self.path, ignore_errors=True)


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL processes, one after the other; some may have ended by themselves because others are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def title(process: psutil.Process) -> str:
    """Return what a process calls itself, in one string, or its command line."""
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.NoSuchProcess:
        return "gone meanwhile"
