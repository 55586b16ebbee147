"""The memory launcher: all machines of a run in this process, over a network in memory."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from threadpoolctl import threadpool_limits

from agents.checkpoint import CheckpointFolder, load_latest
from agents.effects import Adopt, Store
from agents.machine import COORDINATOR_ROUTE, AgentMachine, AgentSetup
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg_math.arrays import FloatArray
from coordinator.loading import load_setup
from coordinator.machine import CoordinatorMachine
from coordinator.run_record import RunRecord
from coordinator.shell import recorder
from protocol.effects import Effect, Log, Stop
from protocol.exit_codes import ExitCode
from protocol.log import open_log, write_log
from protocol.simulation import Simulation
from protocol.transport.memory import MemoryNetwork

COORDINATOR = "coordinator"
STORE_EVERY = 1.0
"""Seconds between two storings of all agents' thetas: one process, so they are lost together or not at all."""


def launch(folder: Path, settings: LaunchSettings, on_line: Callable[[dict[str, Any]], None]) -> Outcome:
    """Run, or go on with, the run in a folder, and return how it ended.

    Parameters
    ----------
    folder : Path
        A run folder with its experiment.
    settings : LaunchSettings
    on_line
        Called with every line of the run record as it is written.
    """
    with threadpool_limits(limits=1):
        return _MemoryRun(folder, settings, on_line).run()


class _MemoryRun:
    def __init__(
        self, folder: Path, settings: LaunchSettings, on_line: Callable[[dict[str, Any]], None]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._log = open_log("bnpg", settings.log_format, settings.log_level)
        self._record = RunRecord(folder, settings.fsync)
        generation = self._record.next_generation()
        setup = load_setup(folder, generation, settings.patience)
        self._interrupted = False
        self._simulation = Simulation(MemoryNetwork())
        self._coordinator = CoordinatorMachine(setup, 0.0)
        carry = recorder(self._record, folder, setup.dag, lambda *event: write_log(self._log, *event), on_line)
        self._simulation.add(COORDINATOR, self._coordinator, carry)
        self._thetas: list[dict[int, FloatArray]] = []
        self._folders: list[CheckpointFolder] = []
        for agent in range(setup.dag.agents):
            self._add_agent(agent, setup.numerics)
        self._processes = 1

    def run(self) -> Outcome:
        """Run to the end."""
        previous = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._until_stopped()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._store()
            self._record.write_status(self._coordinator.status(self._simulation.now), time.monotonic(), at_once=True)
            self._record.close()
        stop = self._simulation.stops.get(COORDINATOR, Stop(ExitCode.INTERNAL, "the coordinator never ended"))
        return Outcome(stop.code, stop.why, self._processes)

    def _until_stopped(self) -> None:
        simulation = self._simulation
        store_at = time.monotonic() + STORE_EVERY
        while simulation.running:
            for _ in range(256):
                if not simulation.step():
                    return
            if self._interrupted:
                self._interrupted = False
                ending = self._coordinator.end(ExitCode.INTERRUPTED, "interrupted", simulation.now)
                simulation.tell(COORDINATOR, ending)
            if time.monotonic() >= store_at:
                self._store()
                store_at = time.monotonic() + STORE_EVERY

    def _add_agent(self, agent: int, numerics: str) -> None:
        name = f"agent-{agent}"
        path = self._folder / "agents" / name
        folder = CheckpointFolder(path, self._settings.fsync)
        identity = folder.identity()
        setup = AgentSetup(
            agent=agent,
            incarnation=folder.next_incarnation(),
            endpoint=name,
            numerics=numerics,
            held=load_latest(path),
            experiment="" if identity is None else identity[1],
        )
        thetas: dict[int, FloatArray] = {}
        self._folders.append(folder)
        self._thetas.append(thetas)

        def carry(effect: Effect) -> None:
            match effect:
                case Store(round=round_, theta=theta):
                    thetas[round_] = theta
                    thetas.pop(round_ - 2, None)
                case Adopt(agent=given, experiment=experiment):
                    folder.adopt(given, experiment)
                case Log(level=level, event=event, fields=fields):
                    write_log(self._log, "debug" if level == "info" else level, event, {"agent": agent} | fields)
                case _:
                    raise AssertionError(effect)

        self._simulation.network.connect(name, COORDINATOR_ROUTE, COORDINATOR)
        self._simulation.add(name, AgentMachine(setup, 0.0), carry)

    def _store(self) -> None:
        """Store every agent's last two thetas, and forget older ones only when all are stored."""
        for folder, thetas in zip(self._folders, self._thetas, strict=True):
            for round_, theta in sorted(thetas.items()):
                folder.write(round_, theta)
        for folder, thetas in zip(self._folders, self._thetas, strict=True):
            if thetas:
                folder.forget(before=min(thetas))

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._interrupted = True
