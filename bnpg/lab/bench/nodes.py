"""Processes of a floor, and their driver: this process."""

import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.stepping import measure_steps


class Nodes:
    """Processes that take part in steps, and end when their standard input does; a context."""

    scheme: str
    """How endpoints of the transport begin."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bnpg-bare-")
        self._processes: list[subprocess.Popen[bytes]] = []

    def _endpoint(self, node: int) -> str:
        """Return where a node listens; -1 is the driver."""
        return f"{self.scheme}{self._folder.name}/{'driver' if node < 0 else node}"

    def _start(self, program: Path, *words: str) -> None:
        command = [sys.executable, "-P", str(program), *words]
        self._processes.append(subprocess.Popen(command, stdin=subprocess.PIPE))

    def steps(self, count: int) -> None:
        """Make steps, one after the other."""
        raise NotImplementedError

    def measure(self, seconds: float) -> Sample:
        """Make steps for about so long, and return the time of one."""
        look = [psutil.Process(), *(psutil.Process(one.pid) for one in self._processes)]
        return measure_steps(self.steps, seconds, lambda: look)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            process.wait(10)
        self._hang_up()
        self._folder.cleanup()

    def _hang_up(self) -> None:
        """Close what the driver speaks by."""
        raise NotImplementedError
