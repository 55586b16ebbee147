"""A launcher over TCP, with keys or without: as `bnpg coordinator` and `bnpg agent` on hosts of their own."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.security.keys import COORDINATOR_FILE, ROSTER_FILE, agent_file
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers.launch import OnLine
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.launchers.tail import Tail
from bnpg.run_folder import RunFolder

LOOK_EVERY = 0.02
"""Seconds between two looks at the record."""
DEADLINE = 600.0
"""Seconds a run may take."""


def make_keys(folder: Path, agents: int) -> Path:
    """Make the keys of a coordinator and its agents."""
    command = [sys.executable, "-P", "-m", "bnpg", "keys", "new", str(folder), "--agents", str(agents)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return folder


class KeyedLaunch:
    """Starts the processes of a run; nobody is restarted.

    Parameters
    ----------
    keys : Path or None
        Folder of keys; without them the same connections are in the clear.
    """

    def __init__(self, keys: Path | None) -> None:
        self._keys = keys

    def __call__(
        self,
        run: RunFolder,
        settings: LaunchSettings,
        fence: Fence,
        on_line: OnLine,
    ) -> Outcome:
        """Run what is in a folder to its end."""
        folder, agents = run.path, run.game.agents
        endpoint = folder / "coordinator.endpoint"
        common = [] if settings.fsync else ["--no-fsync"]
        common += ["--lifeline", "--fence", str(fence.path), "--log-level", settings.log_level]
        commands = [self._coordinator(folder, endpoint, common)]
        commands += [self._agent(agent, folder, endpoint, common) for agent in range(agents)]
        processes: list[subprocess.Popen[bytes]] = []
        with closing(Tail(folder / "metrics.jsonl", on_line)) as tail:
            try:
                for command in commands:
                    processes.append(  # noqa: PERF401 (what was started must be known when one fails)
                        subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
                    )
                code = self._watch(processes[0], tail)
            finally:
                _end(processes)
            tail.read()
        return Outcome(code, "" if code == ExitCode.DONE else "the coordinator says so", 1 + agents)

    def _coordinator(self, folder: Path, endpoint: Path, common: list[str]) -> list[str]:
        words = [sys.executable, "-P", "-m", "bnpg_coordinator", "--folder", str(folder)]
        words += ["--listen", "tcp://127.0.0.1:*", "--endpoint-file", str(endpoint)]
        if self._keys is not None:
            words += ["--key", str(self._keys / COORDINATOR_FILE), "--roster", str(self._keys / ROSTER_FILE)]
        return words + common

    def _agent(self, agent: int, folder: Path, endpoint: Path, common: list[str]) -> list[str]:
        words = [sys.executable, "-P", "-m", "bnpg_agents", "--agent", str(agent)]
        words += ["--state", str(folder / "agents" / f"agent-{agent}"), "--connect", f"@{endpoint}"]
        words += ["--inbox", "tcp://127.0.0.1:*"]
        if self._keys is not None:
            words += ["--key", str(self._keys / agent_file(agent))]
        return words + common

    def _watch(self, coordinator: subprocess.Popen[bytes], tail: Tail) -> ExitCode:
        """Read the record until the coordinator ends."""
        deadline = time.monotonic() + DEADLINE
        while coordinator.poll() is None:
            tail.read()
            if time.monotonic() > deadline:
                return ExitCode.DEADLINE
            time.sleep(LOOK_EVERY)
        known = coordinator.returncode in set(ExitCode)
        return ExitCode(coordinator.returncode) if known else ExitCode.PEER_FAILED


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Cut the lifelines, wait, and kill whoever does not listen."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
