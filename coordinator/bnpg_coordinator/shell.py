"""The shell of the coordinator process: sockets, clock and run record around the pure machine."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from bnpg_protocol.core import COMPILED, PYTHON, Opened
from bnpg_protocol.process.faults.links import check_links
from bnpg_protocol.process.faults.plan import PlanError, read_plan
from bnpg_protocol.process.fence import TAKEN_OVER, Fence
from bnpg_protocol.process.files import named_file, write_atomically
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.security.credentials import (
    BINDINGS_FILE,
    Security,
    allowed,
    coordinator_security,
)
from bnpg_protocol.process.security.endpoints import advertised, require_key
from bnpg_protocol.process.security.hangup import Hangup
from bnpg_protocol.process.shell import Shell
from bnpg_protocol.process.title import title
from bnpg_protocol.process.transport.local_address import coordinator_host
from bnpg_protocol.process.transport.opening import open_transport
from bnpg_protocol.wire.addresses import COORDINATOR, process_name
from bnpg_protocol.wire.effects import Effect, Log
from bnpg_protocol.wire.errors import InsecureSetup, StorageFailed
from bnpg_protocol.wire.events import Event, Observer
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg_coordinator.attested_rounds import AttestedRounds
from bnpg_coordinator.effect_performer import effect_performer
from bnpg_coordinator.effects import Conclude
from bnpg_coordinator.line import Line, fields_of
from bnpg_coordinator.loading import load_setup
from bnpg_coordinator.machine import WARN_EVERY, CoordinatorMachine
from bnpg_coordinator.options import CoordinatorOptions
from bnpg_coordinator.rounds import PARTS
from bnpg_coordinator.run_record import RunRecord
from bnpg_coordinator.sealed_folder import read_sealed
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_coordinator.worlds.interface import Box
from bnpg_coordinator.worlds.table import TablePlay
from bnpg_math.dag.routes import relayed
from bnpg_math.errors import InputError
from bnpg_math.games.transitions.dense import DenseTransition
from bnpg_math.games.transitions.product import ProductTransition
from bnpg_math.games.transitions.stateless import StatelessTransition

if TYPE_CHECKING:
    from bnpg_protocol.process.telemetry import Telemetry

PROCESS, NAME = process_name(COORDINATOR), title(COORDINATOR)
HEADER_ROOM = 1 << 17
"""Bytes every frame may have."""


def _largest_answer(setup: CoordinatorSetup) -> int:
    """Return how many bytes an agent can rightly send at once.

    That is its table, the actions of all lanes, or a sealed checkpoint.
    """
    actions, dag = setup.world.actions, setup.dag
    families = ((*dag.parents[agent], agent) for agent in range(dag.agents))
    # Who sees numbers has no table to show.
    states = [0 if isinstance(space, Box) else space.values for space in setup.world.spaces]
    tables = [
        seen * math.prod(actions[member] for member in family)
        for seen, family in zip(states, families, strict=True)
    ]
    return max(HEADER_ROOM, 8 * max(tables), 2 * setup.experiment.lanes, setup.largest_sealed)


def _watched(status: dict[str, Any]) -> dict[str, Any]:
    return status | {"process": NAME, "members": len(status["agents"])}


def _open_telemetry(listen: str | None) -> "Telemetry | None":
    """Serve metrics and health, if asked to."""
    if listen is None:
        return None
    from bnpg_protocol.process.telemetry import Telemetry

    return Telemetry(listen)


def _read_roster_again(roster: Path, folder: Path, admission: Admission) -> Log:
    """Let in, from now on, whom the roster names now; a bad roster changes nothing."""
    try:
        admission.replace(*allowed(roster, folder / BINDINGS_FILE))
    except InsecureSetup as error:
        return Log("error", "roster kept", {"why": str(error)})
    return Log("info", "roster read again", {"keys": len(admission.owners)})


def _endpoint_file(file: Path) -> Path:
    """Return where the address is to be written that somebody named a file for."""
    try:
        return named_file(file)
    except OSError as error:
        raise InputError(f"--endpoint-file {file} cannot be written: {error.strerror}") from None


def _all_of(observers: list[Observer]) -> Observer | None:
    """Return one observer for all."""
    if len(observers) <= 1:
        return observers[0] if observers else None

    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe


def steady_core(machine: CoordinatorMachine) -> Opened:
    """Return what opens the compiled core for a coordinator, which knows the steps of games with tables."""
    part, games = PARTS.index("steps"), (StatelessTransition, DenseTransition, ProductTransition)
    kinds = (AttestedRounds, TablePlay, *games)
    return lambda compiled, *ends: compiled.CoordinatorCore(machine, kinds, part, WARN_EVERY, *ends)


def try_to_listen(listen: str, security: Security | None) -> None:
    """Listen for a moment where a coordinator will, before anything is made that is of no use if it cannot.

    Raises
    ------
    InsecureSetup
        If nobody can listen there, or somebody does.
    """
    open_transport(PROCESS, listen, security).close()


def run_coordinator(
    options: CoordinatorOptions,
    on_line: Callable[[Line], object] | None = None,
    on_refusal: Callable[[str], object] | None = None,
) -> ExitCode:
    """Run the coordinator process to its end.

    Parameters
    ----------
    options : CoordinatorOptions
    on_line : callable, optional
        Called with every line of the record as it is written.
    on_refusal : callable, optional
        Called with the reason if it does not start.
    """
    shell = Shell(COORDINATOR, options)

    def refused(why: str | Exception, code: ExitCode = ExitCode.USAGE) -> ExitCode:
        if on_refusal is not None:
            on_refusal(str(why))
        return shell.refuse(why, code)

    try:
        shell.read_plan()
        security = coordinator_security(
            options.key, options.roster, options.folder / BINDINGS_FILE, options.key_group
        )
        shell.mention_key()
        require_key(options.listen, "--listen", security is not None)
        told = None if options.endpoint_file is None else _endpoint_file(options.endpoint_file)
        # Not before all that was asked for can be: whoever is at work in this folder ends by it.
        fence = Fence.raise_in(options.folder) if options.fence is None else Fence(options.fence)
        record = RunRecord(options.folder, options.fsync, fence)
        setup = load_setup(
            options.folder, record.next_generation(), options.patience, options.environment_workers
        )
        setup = msgspec.structs.replace(
            setup,
            relay=options.relay == "on",
            restarts=options.on_lost_state == "restart",
            largest_sealed=options.keep_sealed,
            sealed=read_sealed(options.folder, options.keep_sealed),
        )
        if setup.relay and options.faults is not None:
            plan, links = read_plan(options.faults), relayed(setup.dag).edges
            check_links(plan, str(options.faults), setup.dag.edges, links)
        if security is not None:
            setup = msgspec.structs.replace(setup, admission=security.admission)
        telemetry = _open_telemetry(options.metrics_listen)
        if fence.torn:  # loading took its time; the address is that of somebody else now
            return refused(TAKEN_OVER, ExitCode.REJECTED)
        trace = shell.record(options.trace, setup.generation, fence)
        observing: list[Observer | None] = [trace, None if telemetry is None else telemetry.observe]
        observers = [observer for observer in observing if observer is not None]
        # It loads the solvers: who listens before that may find no descriptor left for their files.
        machine = CoordinatorMachine(setup, time.monotonic(), _all_of(observers))
        transport = open_transport(PROCESS, options.listen, security, _largest_answer(setup))
        if told is not None:
            host = coordinator_host(transport.endpoint, options.advertise)
            named = advertised(transport.endpoint, host)
            # Elsewhere may be another disk, to which nothing can be renamed from the fence.
            fenced = told.parent.resolve() == options.folder.resolve()
            write_atomically(told, f"{named}\n".encode(), fsync=False, fence=fence if fenced else None)
    except (InputError, PlanError, InsecureSetup, StorageFailed) as error:
        return refused(error)
    core = None if observers else shell.core(steady_core(machine), transport)
    record.core = PYTHON if core is None else COMPILED

    def on_lines(line: Line) -> None:
        if on_line is not None:
            on_line(line)
        if telemetry is not None:
            telemetry.line(fields_of(line))

    carry_out = effect_performer(record, setup, shell.write, on_lines)

    def perform(effect: Effect) -> None:
        if isinstance(effect, Conclude):
            # Where the last word is, the status shows that the run has ended.
            now = time.monotonic()
            record.write_status(now, lambda: machine.status(now) | transport.counters(), at_once=True)
        carry_out(effect)

    hangup = Hangup()

    def housekeeping(now: float) -> list[Effect]:
        try:
            record.write_status(now, lambda: machine.status(now) | transport.counters())
        except StorageFailed as error:
            return machine.failed(ExitCode.STORAGE, str(error), now)
        return []

    def noticed(_now: float) -> list[Effect]:
        if hangup.came() and security is not None and options.roster is not None:
            return [_read_roster_again(options.roster, options.folder, security.admission)]
        return []

    def snapshot(now: float) -> dict[str, Any]:
        return _watched(machine.status(now)) | transport.counters()

    with hangup:
        stop = shell.run(
            machine,
            transport,
            (PROCESS, setup.generation),
            torn=lambda: fence.torn,
            perform=perform,
            on_signal=lambda now: machine.end(ExitCode.INTERRUPTED, "interrupted", now),
            housekeeping=housekeeping,
            noticed=noticed,
            telemetry=None if telemetry is None else (telemetry, snapshot),
            core=core,
        )
    if options.environment_workers:
        from bnpg_coordinator.environments.workers import close_world

        close_world(setup.world)
    if telemetry is not None:
        telemetry.close()
    ended = time.monotonic()
    with suppress(StorageFailed):  # a full disk must not hide how the run ended
        record.write_status(ended, lambda: machine.status(ended) | transport.counters(), at_once=True)
    record.close()
    torn = fence.torn
    if options.fence is None:
        fence.lower()
    return shell.end(stop, torn)
