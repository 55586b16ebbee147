"""How the processes of a run find each other, and what each is started with.

On one machine they meet in a folder of short paths and need no keys.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from bnpg_agents.options import AgentOptions
from bnpg_coordinator import run_files
from bnpg_coordinator.line import decode_line
from bnpg_coordinator.options import CoordinatorOptions
from bnpg_coordinator.run_record import whole_lines
from bnpg_coordinator.sealed_folder import FOLDER
from bnpg_protocol.process.arguments import as_arguments
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.options import ProcessOptions
from bnpg_protocol.wire import addresses
from bnpg_protocol.wire.addresses import agent_of, process_name
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.sealed import LARGEST

from bnpg.launchers.place import Order
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_folder import RunFolder
from bnpg_files.reading import read_text


class Wiring(Protocol):
    """Knows what every process of a run is started with."""

    def orders(self, names: Sequence[str], incarnations: dict[str, int]) -> list[Order]:
        """Return the orders of processes, as they are to be started now.

        `incarnations` says, of those that were there before, which life the next one is at least.
        """


def shared_options(
    options: ProcessOptions, run: RunFolder, settings: LaunchSettings, since: float
) -> ProcessOptions:
    """Return the options of a process with those that all processes of a run have in common.

    Parameters
    ----------
    options : ProcessOptions
    run : RunFolder
    settings : LaunchSettings
    since : float
        Unix time at which the run was launched, from which the times of a fault plan count.
    """
    faults = run.path / settings.faults if settings.faults else None
    return msgspec.structs.replace(
        options,
        lifeline=True,
        fsync=settings.fsync,
        trace=run.trace if run.experiment.trace else None,
        faults=faults,
        faults_since=0.0 if faults is None else since,
        log_format=settings.log_format,
        log_level=settings.log_level,
    )


def order_of(name: str, options: ProcessOptions) -> Order:
    """Return the order of a process with these options."""
    package = "bnpg_coordinator" if name == process_name(addresses.COORDINATOR) else "bnpg_agents"
    return Order(name=name, package=package, arguments=tuple(as_arguments(options)))


def sealing(run: RunFolder, settings: LaunchSettings) -> dict[str, Any]:
    """Return with what an agent seals its checkpoints, and how old what comes back may be."""
    if not settings.seal:
        return {}
    return {"seal": Path(settings.seal), "sealed_from": least_sealed(run, settings)}


def coordinating(settings: LaunchSettings) -> dict[str, Any]:
    """Return what a launch decides of how its coordinator works."""
    names = ("patience", "on_lost_state", "relay", "environment_workers")
    return {name: getattr(settings, name) for name in names} | {
        "keep_sealed": LARGEST if settings.seal else 0
    }


def least_sealed(run: RunFolder, settings: LaunchSettings) -> int:
    """Return of which round what comes back to an agent must be at least.

    That is the latest of which all thetas are durable, the one of the last line of the record; unless
    somebody has taken all copies away and asks to begin again without them.
    """
    if settings.on_lost_state == "restart" and not any((run.path / FOLDER).glob("agent-*")):
        return 0
    lines = whole_lines(run.path / run_files.RECORD)
    return decode_line(lines[-1]).round if lines else 0


class LocalWiring:
    """Sockets on this machine, without keys.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
    fence : Fence
        Through which all processes write.
    rendezvous : Path
        The folder of the sockets.
    """

    def __init__(self, run: RunFolder, settings: LaunchSettings, fence: Fence, rendezvous: Path) -> None:
        self._run = run
        self._settings = settings
        self._fence = fence
        self._rendezvous = rendezvous
        self._since = time.time()

    def orders(self, names: Sequence[str], incarnations: dict[str, int]) -> list[Order]:
        """Return the orders of processes, as they are to be started now.

        Raises
        ------
        StorageFailed
            If somebody else has taken the run folder over: other processes meet where these would.
        """
        self._fence.check(f"start {', '.join(names)}")
        return [self._order(name, incarnations.get(name, 0)) for name in names]

    def _order(self, name: str, incarnation: int) -> Order:
        agent = agent_of(name)
        options: ProcessOptions = (
            self._coordinator() if agent is None else self._agent(name, agent, incarnation)
        )
        options = shared_options(options, self._run, self._settings, self._since)
        return order_of(name, msgspec.structs.replace(options, fence=self._fence.path))

    def _coordinator(self) -> CoordinatorOptions:
        file, listen = self._endpoint_file, self._front
        if self._settings.transport == "tcp":
            # A coordinator that is started again listens where the agents look for it.
            listen = read_text(file, StorageFailed).strip() if file.exists() else "tcp://127.0.0.1:*"
        return CoordinatorOptions(
            folder=self._run.path,
            listen=listen,
            endpoint_file=file,
            **coordinating(self._settings),
        )

    def _agent(self, name: str, agent: int, incarnation: int) -> AgentOptions:
        scheme = self._settings.transport
        for left in self._rendezvous.glob(f"{name}-*.{scheme}"):
            left.unlink(missing_ok=True)  # of an earlier life, which was killed
        inbox = f"{scheme}://{self._rendezvous}/{name}-{time.monotonic_ns()}.{scheme}"
        return AgentOptions(
            agent=agent,
            incarnation=incarnation,
            state=self._run.agent(agent),
            **sealing(self._run, self._settings),
            connect=f"@{self._endpoint_file}" if scheme == "tcp" else self._front,
            inbox="tcp://127.0.0.1:*" if scheme == "tcp" else inbox,
        )

    @property
    def _endpoint_file(self) -> Path:
        # The name is that of this launch: a coordinator of an earlier one that wakes is not found by it.
        return self._rendezvous / f"coordinator{self._fence.path.name}.endpoint"

    @property
    def _front(self) -> str:
        scheme = self._settings.transport
        return f"{scheme}://{self._rendezvous}/coordinator.{scheme}"
