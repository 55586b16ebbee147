"""The shell of an agent process: sockets, clock and checkpoint around the pure machine."""

import time
from pathlib import Path

from msgspec import Struct

from agents.checkpoint import CheckpointFolder, load_latest
from agents.effects import Adopt, Store
from agents.machine import COORDINATOR_ROUTE, AgentMachine, AgentSetup
from bnpg_math.numerics import fingerprint
from protocol.addresses import UNASSIGNED
from protocol.effects import Effect, Log, Stop
from protocol.errors import StorageFailed
from protocol.exit_codes import ExitCode
from protocol.faults.execution import FaultExecution
from protocol.faults.injector import FaultInjector
from protocol.faults.plan import PlanError, read_plan
from protocol.lifeline import Lifeline
from protocol.log import open_log, write_log
from protocol.loop import Loop
from protocol.title import set_title
from protocol.transport.zeromq import ZeroMQTransport


class AgentOptions(Struct, frozen=True):
    """How an agent process is started."""

    state: Path
    """Folder of its own, for its checkpoints."""
    connect: str
    """Endpoint of the coordinator, or `@FILE` with a file that will hold it."""
    inbox: str
    """Endpoint to bind for the parents' connections."""
    agent: int = UNASSIGNED
    patience: float = 600.0
    fsync: bool = True
    lifeline: bool = False
    """End when standard input is closed, that is, when whoever started this process is gone."""
    faults: Path | None = None
    """A fault plan."""
    faults_since: float = 0.0
    """Unix time at which the run started; the plan's times count from there."""
    log_format: str = "text"
    log_level: str = "info"


def run_agent(options: AgentOptions) -> ExitCode:
    """Run one agent process to its end."""
    name = "bnpg-agent" if options.agent == UNASSIGNED else f"bnpg-agent-{options.agent}"
    set_title(name)
    log = open_log(name, options.log_format, options.log_level)
    try:
        folder = CheckpointFolder(options.state, options.fsync)
        identity = folder.identity()
        incarnation = folder.next_incarnation()
        plan = None if options.faults is None else read_plan(options.faults)
        held = load_latest(options.state)
        endpoint = _coordinator_endpoint(options)
    except (StorageFailed, PlanError) as error:
        write_log(log, "error", "stopped", {"why": str(error)})
        return ExitCode.STORAGE if isinstance(error, StorageFailed) else ExitCode.USAGE
    if endpoint is None:
        why = f"no endpoint of the coordinator in {options.connect[1:]} after {options.patience:g} s"
        write_log(log, "error", "stopped", {"why": why})
        return ExitCode.DEADLINE
    agent = options.agent if identity is None else identity[0]
    if options.agent not in (UNASSIGNED, agent):
        why = f"{options.state} belongs to agent {agent}, not to agent {options.agent}"
        write_log(log, "error", "stopped", {"why": why})
        return ExitCode.USAGE
    transport = ZeroMQTransport(f"agent-{agent}", bind=options.inbox)
    transport.connect(COORDINATOR_ROUTE, endpoint)
    lifeline = Lifeline(options.lifeline)
    lifeline.register(transport.watch)
    setup = AgentSetup(
        agent=agent,
        incarnation=incarnation,
        endpoint=transport.endpoint,
        numerics=fingerprint(),
        held=held,
        experiment="" if identity is None else identity[1],
        patience=options.patience,
    )
    machine = AgentMachine(setup, time.monotonic())

    def carry(effect: Effect) -> None:
        match effect:
            case Store(round=round_, theta=theta):
                folder.store(round_, theta)
            case Adopt(agent=given, experiment=experiment):
                folder.adopt(given, experiment)
                set_title(f"bnpg-agent-{given}")
            case Log(level=level, event=event, fields=fields):
                write_log(log, level, event, fields)
            case _:
                raise AssertionError(effect)

    def tear(effect: Effect) -> None:
        if isinstance(effect, Store):
            folder.tear(effect.round, effect.theta)

    faults = None
    if plan is not None:
        faults = FaultExecution(
            FaultInjector(plan, f"agent-{agent}", incarnation), options.faults_since, tear
        )

    def each(_now: float) -> list[Effect]:
        return [Stop(ExitCode.INTERRUPTED, "its launcher is gone")] if lifeline.cut() else []

    def on_signal(_now: float) -> list[Effect]:
        return [Stop(ExitCode.INTERRUPTED, "interrupted")]

    stop = Loop(machine, transport, carry, on_signal, each, faults).run()
    level = "info" if stop.code in (ExitCode.DONE, ExitCode.INTERRUPTED) else "error"
    write_log(log, level, "stopped", {"code": int(stop.code), "why": stop.why})
    return stop.code


def _coordinator_endpoint(options: AgentOptions) -> str | None:
    """Return where the coordinator is, waiting for the file that says so if need be."""
    if not options.connect.startswith("@"):
        return options.connect
    file = Path(options.connect[1:])
    deadline = time.monotonic() + options.patience
    lifeline = Lifeline(options.lifeline)
    while not file.exists():
        if time.monotonic() > deadline or lifeline.cut():
            return None
        time.sleep(0.01)
    return file.read_text().strip()
