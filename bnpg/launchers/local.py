"""The local launcher: one coordinator and N agents as processes on this machine.

It only places and restarts processes. A process that dies is started again, with a limit on deaths without
progress; how the run goes on is between the coordinator and the agents. The run's progress is read from its
record, so nothing depends on this process being quick, or being there at all.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from bnpg_agents.options import AgentOptions
from bnpg_coordinator.options import CoordinatorOptions
from bnpg_protocol.process.arguments import as_arguments
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.log import open_log, write_log
from bnpg_protocol.process.options import ProcessOptions
from bnpg_protocol.wire import addresses
from bnpg_protocol.wire.addresses import process_name
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers.adoption import Adopted, Order, adopt
from bnpg.launchers.rendezvous import rendezvous
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.launchers.signals import heeding_children, noting
from bnpg.launchers.tail import Tail
from bnpg.run_folder import RunFolder

LOOK_EVERY = 0.02
"""Seconds between two looks at the processes and the record."""
DEATHS = 5
"""Deaths of one process without a new round in between after which the run is given up."""
GRACE = 8.0
"""Seconds the processes have to end by themselves."""
COORDINATOR = process_name(addresses.COORDINATOR)


def launch(
    run: RunFolder, settings: LaunchSettings, fence: Fence, on_line: Callable[[dict[str, Any]], None]
) -> Outcome:
    """Run, or go on with, the run in a folder, and return how it ended.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
    fence : Fence
        Through which the processes write.
    on_line
        Called with every line of the run record as it is written.
    """
    with rendezvous(run.path) as meeting_place:
        return _LocalRun(run, meeting_place, settings, fence, on_line).run()


class _LocalRun:
    def __init__(
        self,
        run: RunFolder,
        rendezvous: Path,
        settings: LaunchSettings,
        fence: Fence,
        on_line: Callable[[dict[str, Any]], None],
    ) -> None:
        self._run = run
        self._fence = fence
        self._rendezvous = rendezvous
        self._settings = settings
        self._log = open_log("bnpg", settings.log_format, settings.log_level)
        self._tail = Tail(run.path / "metrics.jsonl", on_line)
        self._agents = run.game.agents
        self._processes: dict[str, subprocess.Popen[bytes] | Adopted] = {}
        self._deaths: dict[str, int] = {}
        self._since = self._coordinator_since = time.time()
        self._interrupts = 0

    def run(self) -> Outcome:
        """Start everything, keep it running, and end everything."""
        with heeding_children(), noting(self._note):
            try:
                self._start_all()
                code, why = self._watch()
            finally:
                self._end_all()
        self._tail.read()
        return Outcome(code, why, 1 + self._agents)

    def _names(self) -> list[str]:
        return [COORDINATOR, *map(process_name, range(self._agents))]

    def _watch(self) -> tuple[ExitCode, str]:
        """Look after the processes until the coordinator ends the run."""
        asked = False
        while True:
            if self._tail.read():
                self._deaths.clear()
            if self._interrupts and not asked:
                asked = True
                self._processes[COORDINATOR].terminate()
            if self._interrupts > 1:
                return ExitCode.INTERRUPTED, "interrupted"
            for name, process in list(self._processes.items()):
                status = process.poll()
                if status is None:
                    continue
                ended = self._ended(name, status, asked)
                if ended is not None:
                    return ended
            self._look_after_the_gone(asked)
            time.sleep(LOOK_EVERY)

    def _ended(self, name: str, status: int, asked: bool) -> tuple[ExitCode, str] | None:
        """Decide what the end of a process means; None if the run goes on."""
        if name == COORDINATOR and status in set(ExitCode):
            return ExitCode(status), ""
        if asked or (name != COORDINATOR and status == ExitCode.DONE):
            del self._processes[name]
            return (ExitCode.INTERRUPTED, "interrupted") if name == COORDINATOR else None
        how = f"was killed by signal {-status}" if status < 0 else f"ended with code {status}"
        if status > 0 and status in set(ExitCode) - {ExitCode.INTERNAL}:
            # A process that says why it ends would end the same way again.
            joined = name.removeprefix("agent-") in self._status().get("agents", {})
            self._wait_for_coordinator(told=joined and status != ExitCode.REJECTED)
            return ExitCode(status), f"{name} {self._rejection(name) or how}"
        if self._settings.on_loss == "fail":
            return ExitCode.PEER_FAILED, f"{name} {how}, and on-loss is fail"
        self._deaths[name] = self._deaths.get(name, 0) + 1
        if self._deaths[name] >= DEATHS:
            return ExitCode.PEER_FAILED, f"{name} {how} and died {DEATHS} times without a round in between"
        write_log(self._log, "warning", "restarted", {"process": name, "because": how})
        self._start(name)
        return None

    def _look_after_the_gone(self, asked: bool) -> None:
        """Do what is to be done because agents have ended: the coordinator let them go, or nobody did.

        It lets them go one by one. If it dies in between, its next life knows nothing of that, and waits for
        all of them again. And when nobody is left it need not wait for a farewell that never comes.
        """
        coordinator = self._processes.get(COORDINATOR)
        gone = [name for name in self._names() if name not in self._processes]
        if coordinator is None or not gone:
            return
        phase = self._status().get("phase")
        if phase == "gathering" and not asked:
            for name in gone:
                self._start(name)
        elif phase == "ending" and len(self._processes) == 1 and coordinator.stdin is not None:
            coordinator.stdin.close()

    def _status(self) -> dict[str, Any]:
        """Return what the coordinator has last said of itself in its present life; empty if nothing yet."""
        try:
            told = self._run.status or {}
            return told if float(told["written"]) > self._coordinator_since else {}
        except (ValueError, KeyError, TypeError):
            return {}

    def _rejection(self, name: str) -> str:
        """Return why the coordinator did not let an agent in; the empty text if that was not so."""
        why = self._status().get("rejected", {}).get(name.removeprefix("agent-"))
        return f"was rejected ({why})" if why else ""

    def _wait_for_coordinator(self, told: bool) -> None:
        """Give the coordinator a moment to end the run in order and to record why, if it was told at all."""
        coordinator = self._processes.get(COORDINATOR)
        if coordinator is None:
            return
        try:
            coordinator.wait(GRACE if told else 0)
        except subprocess.TimeoutExpired:
            coordinator.terminate()
            with suppress(subprocess.TimeoutExpired):
                coordinator.wait(GRACE)

    def _start_all(self) -> None:
        """Start every process, all of them at once where that is possible."""
        names = self._names()
        orders = [Order(package, arguments) for package, *arguments in map(self._command, names)]
        self._coordinator_since = time.time()
        self._processes.update(zip(names, adopt(orders, _environment()), strict=False))
        for name in names:
            if name not in self._processes:
                self._start(name)

    def _start(self, name: str) -> None:
        old = self._processes.get(name)
        if old is not None and old.stdin is not None:
            old.stdin.close()
        if name == COORDINATOR:
            self._coordinator_since = time.time()
        # -P: the packages of this project, not folders of the same names where the user happens to be.
        command = [sys.executable, "-P", "-m", *self._command(name)]
        self._processes[name] = subprocess.Popen(
            command, stdin=subprocess.PIPE, start_new_session=True, env=_environment()
        )

    def _command(self, name: str) -> list[str]:
        """Return the package to run, and its arguments."""
        options: ProcessOptions = self._coordinator() if name == COORDINATOR else self._agent(name)
        faults = self._run.path / self._settings.faults if self._settings.faults else None
        options = msgspec.structs.replace(
            options,
            lifeline=True,
            fence=self._fence.path,
            fsync=self._settings.fsync,
            trace=self._run.trace if self._run.experiment.trace else None,
            faults=faults,
            faults_since=0.0 if faults is None else self._since,
            log_format=self._settings.log_format,
            log_level=self._settings.log_level,
        )
        package = "bnpg_coordinator" if name == COORDINATOR else "bnpg_agents"
        return [package, *as_arguments(options)]

    def _coordinator(self) -> CoordinatorOptions:
        file, listen = self._endpoint_file, self._front
        if self._settings.transport == "tcp":
            # A coordinator that is started again listens where the agents look for it.
            listen = file.read_text().strip() if file.exists() else "tcp://127.0.0.1:*"
        return CoordinatorOptions(
            folder=self._run.path, listen=listen, endpoint_file=file, patience=self._settings.patience
        )

    def _agent(self, name: str) -> AgentOptions:
        tcp, scheme = self._settings.transport == "tcp", self._settings.transport
        inbox = f"{scheme}://{self._rendezvous}/{name}-{time.monotonic_ns()}.{scheme}"
        return AgentOptions(
            agent=int(name.removeprefix("agent-")),
            state=self._run.path / "agents" / name,
            connect=f"@{self._endpoint_file}" if tcp else self._front,
            inbox="tcp://127.0.0.1:*" if tcp else inbox,
        )

    @property
    def _endpoint_file(self) -> Path:
        return self._rendezvous / "coordinator.endpoint"

    @property
    def _front(self) -> str:
        scheme = self._settings.transport
        return f"{scheme}://{self._rendezvous}/coordinator.{scheme}"

    def _end_all(self) -> None:
        """Leave no process behind: cut the lifelines, wait, and kill whoever does not listen."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        deadline = time.monotonic() + GRACE
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _note(self) -> None:
        self._interrupts += 1


def _environment() -> dict[str, str]:
    # One BLAS thread a process: as many processes as cores already, and the same bits everywhere.
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | threads
