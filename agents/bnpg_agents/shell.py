"""The shell of an agent process: sockets, clock and checkpoint around the pure machine."""

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bnpg_protocol.core import Opened
from bnpg_protocol.process.endings import endings
from bnpg_protocol.process.faults.plan import PlanError
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.lifeline import Lifeline
from bnpg_protocol.process.security.credentials import agent_security, enrol
from bnpg_protocol.process.security.endpoints import advertised, leaves_machine, require_key
from bnpg_protocol.process.security.seal_key import read_seal_key
from bnpg_protocol.process.shell import LAUNCHER_GONE, Shell
from bnpg_protocol.process.title import set_title, title
from bnpg_protocol.process.transport.interface import Transport
from bnpg_protocol.process.transport.local_address import advertised_host
from bnpg_protocol.process.transport.opening import open_transport
from bnpg_protocol.wire.addresses import UNASSIGNED, process_name
from bnpg_protocol.wire.effects import Effect, Log, Stop
from bnpg_protocol.wire.errors import InsecureSetup, StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg_agents.checkpoint import CheckpointFolder
from bnpg_agents.effects import Adopt, Relive, Store
from bnpg_agents.local_policy import MakePolicy, local_policy
from bnpg_agents.machine import AgentMachine
from bnpg_agents.neighbourhood import COORDINATOR_ROUTE
from bnpg_agents.options import AgentOptions
from bnpg_agents.relayed_buffer import RelayedBuffer
from bnpg_agents.round_buffer import RoundBuffer
from bnpg_agents.sealing import Seal
from bnpg_agents.setup import AgentSetup
from bnpg_agents.whereabouts import Whereabouts
from bnpg_math.arrays.numerics import fingerprint
from bnpg_math.errors import InputError
from bnpg_math.policies.tabular import TabularSoftmax

if TYPE_CHECKING:
    from bnpg_protocol.process.telemetry import Telemetry

LARGEST_ACTIONS = 64 * 1024 * 1024
"""Bytes a frame from a parent may have: the actions of all lanes."""


def run_agent(options: AgentOptions, policy: MakePolicy = local_policy) -> ExitCode:
    """Run one agent process to its end.

    Parameters
    ----------
    options : AgentOptions
    policy
        Returns the policy at theta_0 that a Welcome asks for.
    """
    shell = Shell(options.agent_id, options)
    try:
        folder = CheckpointFolder(
            options.state, options.fsync, None if options.fence is None else Fence(options.fence)
        )
        identity = folder.identity()
        if began := folder.rounding_of_another_host():
            return shell.refuse(
                f"{options.state} holds thetas of a host whose floating point rounds differently: "
                f"expected {fingerprint()} as here, got {began}",
                ExitCode.REJECTED,
            )
        agent = options.agent_id if identity is None else identity[0]
        if options.agent not in (None, agent):
            return shell.refuse(f"{options.state} belongs to agent {agent}, not to agent {options.agent}")
        seal = _open_seal(options, agent)
        shell.read_plan()
        shell.load_recorder(options.trace)
        whereabouts = Whereabouts(options.connect, options.patience)
        lifeline = Lifeline(options.lifeline)
        endpoint = whereabouts.wait(lifeline.cut)
        telemetry = _open_telemetry(options.metrics_listen)
        transport, advertised_at, expected = _open_transport(options, identity, endpoint, lifeline.cut)
        shell.mention_key()
    except (InputError, StorageFailed, PlanError, InsecureSetup) as error:
        return shell.refuse(error)
    if endpoint is None or transport is None:
        if lifeline.cut():
            return shell.refuse(LAUNCHER_GONE, ExitCode.INTERRUPTED)
        return shell.refuse(
            f"no endpoint of the coordinator in {options.connect[1:]} after {options.patience:g} s",
            ExitCode.DEADLINE,
        )
    try:  # not before all that was asked for can be: whoever is at work in this folder ends by it
        incarnation = folder.next_incarnation(max(options.incarnation, 1))
        held = folder.take_over()
    except (InputError, StorageFailed) as error:
        folder.close()
        return shell.refuse(error)
    setup = AgentSetup(
        agent=agent,
        incarnation=incarnation,
        endpoint=advertised_at,
        numerics=fingerprint(),
        held=held,
        experiment="" if identity is None else identity[1],
        patience=options.patience,
        spare=options.spare,
        seal=seal,
        sealed_from=options.sealed_from,
        policy=policy,
    )
    # Where an agent was started by hand its folder and the trace may be on different disks.
    traced = folder.fence if options.fence is not None else None
    trace = shell.record(options.trace, incarnation, traced)
    machine = AgentMachine(setup, time.monotonic(), trace)

    def perform(effect: Effect) -> None:
        match effect:
            case Store(round=round_, snapshot=snapshot):
                folder.write(round_, snapshot)
            case Adopt(agent=given, experiment=experiment):
                folder.adopt(given, experiment)
                set_title(given)
            case Relive(incarnation=later):
                folder.next_incarnation(later)
                if trace is not None:
                    trace.life = later
            case Log(level=level, event=event, fields=fields):
                shell.write(level, event, fields)
            case _:
                raise AssertionError(effect)

    def tear(effect: Effect) -> None:
        if isinstance(effect, Store):
            folder.tear(effect.round, effect.snapshot)

    def noticed(now: float) -> list[Effect]:
        moved = whereabouts.moved(now)
        if moved is not None:
            transport.connect(COORDINATOR_ROUTE, moved, expected)
            return [Log("info", "coordinator moved", {"to": moved})]
        hopeless = transport.hopeless(COORDINATOR_ROUTE)
        where = whereabouts.endpoint
        return [Stop(ExitCode.REJECTED, f"not let in at {where}: {hopeless}")] if hopeless else []

    def snapshot(_now: float) -> dict[str, Any]:
        return {"process": title(options.agent_id)} | machine.status() | transport.counters()

    stop = shell.run(
        machine,
        transport,
        (process_name(agent), incarnation),
        torn=lambda: folder.fence.torn,
        perform=perform,
        on_signal=lambda _now: [Stop(ExitCode.INTERRUPTED, "interrupted")],
        noticed=noticed,
        telemetry=None if telemetry is None else (telemetry, snapshot),
        tear=tear,
        core=shell.core(steady_core(machine), transport),
    )
    if telemetry is not None:
        telemetry.ended()
    if options.archive and stop.code == ExitCode.DONE and machine.done:
        try:
            folder.archive()
        except StorageFailed as error:
            stop = Stop(ExitCode.STORAGE, str(error))
    if options.stay and stop.code == ExitCode.DONE:
        ending = endings()
        signal.pthread_sigmask(signal.SIG_BLOCK, ending)
        signal.sigtimedwait(ending, options.stay)
    torn = folder.fence.torn
    folder.close()
    return shell.end(stop, torn)


def steady_core(machine: AgentMachine) -> Opened:
    """Return what opens the compiled core for an agent, which knows policies that are tables."""
    kinds = (RoundBuffer, RelayedBuffer, TabularSoftmax)
    return lambda compiled, *ends: compiled.RelayingCore(machine, kinds, *ends)


def _open_telemetry(listen: str | None) -> "Telemetry | None":
    """Serve metrics and health, if asked to: an agent is light, so their library is not loaded otherwise."""
    if listen is None:
        return None
    from bnpg_protocol.process.telemetry import Telemetry

    def wrong(snapshot: dict[str, Any]) -> str:
        joining = snapshot.get("phase") == "greeting"
        return f"waits for {snapshot['waiting_for']}" if joining else ""

    return Telemetry(listen, wrong)


def _open_seal(options: AgentOptions, agent: int) -> Seal | None:
    """Return with what checkpoints are sealed, if they are."""
    if options.seal is None:
        return None
    if agent == UNASSIGNED:
        raise InputError("--seal needs --agent: a checkpoint is sealed by an agent for itself")
    return Seal(read_seal_key(options.seal, options.key_group))


def _open_transport(
    options: AgentOptions,
    identity: tuple[int, str] | None,
    coordinator: str | None,
    given_up: Callable[[], bool],
) -> tuple[Transport | None, str, str]:
    """Open the sockets; return them, where parents reach the inbox, and the coordinator's public key."""
    if coordinator is None:
        return None, "", ""
    if options.enrol is not None:
        if options.key is None:
            raise InsecureSetup("--enrol needs --key: where the private key is kept")
        from bnpg_protocol.process.transport.curve import new_key_pair  # of ZeroMQ, which is not always there

        enrol(options.key, options.enrol, new_key_pair)
    security, expected = agent_security(options.key, options.coordinator_key, options.key_group)
    require_key(coordinator, "--connect", security is not None)
    local = not leaves_machine(coordinator)
    inbox = options.inbox or ("tcp://127.0.0.1:*" if local else "tcp://0.0.0.0:*")
    require_key(inbox, "--inbox", security is not None)
    host = advertised_host(inbox, options.advertise, coordinator, options.patience, given_up)
    name = process_name(options.agent_id if identity is None else identity[0])
    transport = open_transport(name, inbox, security, LARGEST_ACTIONS)
    transport.connect(COORDINATOR_ROUTE, coordinator, expected)
    return transport, advertised(transport.endpoint, host), expected
