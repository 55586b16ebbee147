"""Single real processes, to be met by fake peers."""

import asyncio
import subprocess
import sys
from pathlib import Path

from bnpg_agents.checkpoint import load_latest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.scratch import Scratch
from bnpg_math.arrays import FloatArray

PATIENCE = 30.0
"""Seconds of a process's own patience: a test that waits in vain ends by a message, not by a timeout."""


class RealProcess:
    """A process of `agents` or of `coordinator`, with its log in a file."""

    def __init__(self, name: str, arguments: list[str], folder: Path, scratch: Scratch, socket: Path) -> None:
        self.folder = folder
        self.endpoint = f"ipc://{socket}"
        """Where it listens."""
        self._socket = socket
        self._log_file = scratch.path / f"{name}-{len(list(scratch.path.glob('*.log')))}.log"
        command = [sys.executable, "-P", "-m", *arguments, "--lifeline", "--patience", f"{PATIENCE:g}"]
        with self._log_file.open("wb") as log:
            self.popen = subprocess.Popen(
                command, cwd=scratch.path, env=scratch.environment, stdin=subprocess.PIPE, stderr=log
            )

    @property
    def log(self) -> str:
        """What it logged."""
        return self._log_file.read_text(errors="replace")

    @property
    def thetas(self) -> dict[int, FloatArray]:
        """What an agent stored, by round."""
        return load_latest(self.folder)

    def wait(self, seconds: float = PATIENCE) -> ExitCode:
        """Wait for its end."""
        return ExitCode(self.popen.wait(seconds))

    async def ended(self) -> ExitCode:
        """Wait for its end while the fake peers of the test go on answering."""
        return await asyncio.to_thread(self.wait)

    def end(self) -> None:
        """Kill it if the test did not bring it to its end."""
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        # ZeroMQ leaves the file of an ipc socket behind.
        self._socket.unlink(missing_ok=True)
