"""What every kind of process opens around its machine, and closes when the machine has ended.

An agent and the coordinator differ in what they keep on disk and in what they say of themselves. Log, title,
fault plan, trace, lifeline, telemetry, fence and the end are the same, and are here.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnpg_protocol.core import Opened, compiled
from bnpg_protocol.process.allocation import keep_freed_memory
from bnpg_protocol.process.faults.execution import FaultExecution
from bnpg_protocol.process.faults.injector import FaultInjector
from bnpg_protocol.process.faults.plan import FaultPlan, read_plan
from bnpg_protocol.process.fence import TAKEN_OVER, Fence
from bnpg_protocol.process.lifeline import Lifeline
from bnpg_protocol.process.log import open_log, write_log
from bnpg_protocol.process.loop import Loop, Perform
from bnpg_protocol.process.machine import Machine
from bnpg_protocol.process.options import ProcessOptions
from bnpg_protocol.process.security.keys import group_reads
from bnpg_protocol.process.title import set_title, title
from bnpg_protocol.process.transport.interface import Transport
from bnpg_protocol.wire.effects import Effect, Log, Stop
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

if TYPE_CHECKING:
    from bnpg_protocol.process.recorder import TraceRecorder
    from bnpg_protocol.process.telemetry import Telemetry

LAUNCHER_GONE = "its launcher is gone"
Turn = Callable[[float], list[Effect]]
"""Does what no message asks for, at a time; returns what is to be carried out."""


class Shell:
    """The surroundings of one process.

    Parameters
    ----------
    peer : int
        Its address.
    options : ProcessOptions
    """

    def __init__(self, peer: int, options: ProcessOptions) -> None:
        set_title(peer)
        keep_freed_memory()
        self._options = options
        fence = None if options.fence is None else Fence(options.fence)
        self._log: logging.Logger = open_log(
            title(peer), options.log_format, options.log_level, options.log_file, fence
        )
        self._plan: FaultPlan | None = None
        self._recorder: TraceRecorder | None = None

    def write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        """Write a line into the log."""
        write_log(self._log, level, event, fields)

    def refuse(self, why: str | Exception, code: ExitCode = ExitCode.USAGE) -> ExitCode:
        """Say why the process does not start; return its exit code: a disk that fails has one of its own."""
        self.write("error", "stopped", {"why": str(why)})
        return ExitCode.STORAGE if isinstance(why, StorageFailed) else code

    def mention_key(self) -> None:
        """Say if others than its owner can read the private key, which must have been asked for."""
        key = self._options.key
        if key is not None and self._options.key_group and group_reads(key):
            self.write("warning", "the group can read the private key", {"file": str(key)})

    def read_plan(self) -> None:
        """Read the fault plan, if there is one.

        Raises
        ------
        PlanError
        """
        if self._options.faults is not None:
            self._plan = read_plan(self._options.faults)

    def load_recorder(self, trace: Path | None) -> None:
        """Load what records a trace, if there is to be one, while no stranger can take every descriptor."""
        if trace is not None:
            import bnpg_protocol.process.recorder  # noqa: F401

    def record(self, trace: Path | None, life: int, fence: Fence | None) -> "TraceRecorder | None":
        """Open the trace of a life, if there is to be one."""
        if trace is not None:
            from bnpg_protocol.process.recorder import TraceRecorder

            self._recorder = TraceRecorder(trace, life, fence=fence)
        return self._recorder

    def core(self, opened: Opened, transport: Transport) -> Opened | None:
        """Return what opens a core, where it can be used: not with faults, keys or a trace."""
        plain = self._plan is None and transport.admission is None and self._recorder is None
        return opened if plain and compiled() is not None else None

    def run(
        self,
        machine: Machine,
        transport: Transport,
        life: tuple[str, int],
        torn: Callable[[], bool],
        perform: Perform,
        on_signal: Turn,
        noticed: Turn,
        housekeeping: Turn = lambda _now: [],
        telemetry: "tuple[Telemetry, Callable[[float], dict[str, Any]]] | None" = None,
        tear: Callable[[Effect], None] = lambda _effect: None,
        core: Opened | None = None,
    ) -> Stop:
        """Let the machine work until it stops; return how it ended, with the trace closed.

        Parameters
        ----------
        machine : Machine
        transport : Transport
        life : (str, int)
            Name of the process for the fault plan, and the number of its life.
        torn
            Whether somebody else has taken over the folder that this process writes to.
        perform
            Carries out the effects that only this kind of process knows.
        on_signal
            Called when a signal came.
        noticed, housekeeping
            Housekeeping after and before what the transport noticed is said.
        telemetry : (Telemetry, callable), optional
            With what it serves at a time.
        tear
            Leaves what a death in the midst of an effect leaves.
        core
            From `core`; None leaves everything to the machine.
        """
        lifeline = Lifeline(self._options.lifeline)
        lifeline.register(transport.watch)
        faults = None
        if self._plan is not None:
            faults = FaultExecution(FaultInjector(self._plan, *life), self._options.faults_since, tear)

        def turn(now: float) -> list[Effect]:
            if torn():
                return [Stop(ExitCode.REJECTED, TAKEN_OVER)]
            effects = housekeeping(now)
            if telemetry is not None:
                served, snapshot = telemetry
                served.turn(now, lambda: snapshot(now))
            effects += [Log(notice.level, notice.event, notice.fields) for notice in transport.notices()]
            effects += noticed(now)
            return effects + machine.abandon(LAUNCHER_GONE, now) if lifeline.cut() else effects

        admission = transport.admission
        loop = Loop(
            machine, transport, perform, on_signal, turn, faults, admission, self._recorder, core=core
        )
        stop = loop.run()
        if self._recorder is not None:
            with suppress(StorageFailed):  # a full disk must not hide how the run ended
                self._recorder.close(int(stop.code), stop.why)
        return stop

    def end(self, stop: Stop, torn: bool) -> ExitCode:
        """Say how the process ends; return its exit code."""
        quiet = torn or stop.code in (ExitCode.DONE, ExitCode.INTERRUPTED)
        self.write("info" if quiet else "error", "stopped", {"code": int(stop.code), "why": stop.why})
        return stop.code
