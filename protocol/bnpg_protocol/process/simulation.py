"""All machines of a run in one process, in virtual time.

Nothing waits for real: when no envelope is on its way, the clock jumps to the next moment somebody asked for.
So an hour of delays costs milliseconds, and what happens depends on the order of delivery and on the fault
plan only. Faults strike here at the same moments as in the loop of a real process.
"""

from collections import deque
from collections.abc import Callable

from bnpg_protocol.process.faults.injector import FaultInjector, Parcel, flip_bits
from bnpg_protocol.process.faults.moments import after_effect, before_effect, of_arrival
from bnpg_protocol.process.faults.plan import Exhaust, Kill, Pause, ProcessFault
from bnpg_protocol.process.faults.shortage import OUT_OF_MEMORY, REFUSAL
from bnpg_protocol.process.history import History
from bnpg_protocol.process.machine import Machine
from bnpg_protocol.process.transport.memory import Delivery, MemoryNetwork
from bnpg_protocol.wire.addresses import COORDINATOR, process_name
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.effects import Admit, Connect, Effect, Log, Stop, Transmit
from bnpg_protocol.wire.errors import MalformedMessage, StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

Perform = Callable[[Effect], None]
REVIVE_AFTER = 0.5
"""Virtual seconds until a killed process is started again."""


class _Process:
    """One process of the simulation."""

    def __init__(
        self, address: str, machine: Machine, perform: Perform, injector: FaultInjector | None
    ) -> None:
        self.address = address
        self.machine = machine
        self.perform = perform
        self.injector = injector
        self.paused_until: float | None = None
        self.pending: deque[list[Effect]] = deque()
        self.inbox: deque[Delivery] = deque()
        self.history = History()
        self.short: dict[str, float] = {}
        """Until when it is short of what."""

    def refusal(self, effect: Effect, now: float) -> str:
        """Return why an effect cannot be carried out; the empty text if it can.

        Everything that is to be written takes both, a disk and a descriptor.
        """
        if isinstance(effect, Transmit | Connect | Admit | Log):
            return ""
        return next((REFUSAL[of] for of, until in self.short.items() if now < until), "")


class Simulation:
    """Machines on a network in memory.

    Parameters
    ----------
    network : MemoryNetwork
        Decides the order of delivery.
    revive
        Called with the name of a killed process when it is time to start it again; adds it anew.
    validate : bool
        Whether every machine's invariants are checked after every event.
    missed
        Called with the name of a process that ended by itself; returns whether it is to be started again.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        revive: Callable[[str], None] | None = None,
        validate: bool = False,
        missed: Callable[[str], bool] | None = None,
    ) -> None:
        self.network = network
        self.now = 0.0
        self.delivered = 0
        self.stops: dict[str, Stop] = {}
        """How the processes that ended have ended."""
        self._revive = revive
        self._validate = validate
        self._missed = missed
        self._processes: dict[str, _Process] = {}
        self._names: dict[str, str] = {}
        self._revivals: dict[str, float] = {}

    @property
    def running(self) -> list[str]:
        """Names of the processes that have not ended."""
        return [*self._processes, *self._revivals]

    def lives(self, name: str) -> bool:
        """Whether a process is there, and not waiting to be started again."""
        return name in self._processes

    def add(
        self,
        name: str,
        address: str,
        machine: Machine,
        perform: Perform,
        injector: FaultInjector | None = None,
    ) -> None:
        """Start a process.

        Parameters
        ----------
        name : str
            `coordinator` or `agent-3`.
        address : str
            Its node on the network; a process that returns under a new address gets nothing of the old one's.
        machine : Machine
        perform
            Carries out the effects that only this kind of process knows.
        injector : FaultInjector, optional
        """
        self._processes[name] = _Process(address, machine, perform, injector)
        self._names[address] = name
        self.stops.pop(name, None)

    def kill(self, name: str) -> None:
        """End a process as SIGKILL does: nothing of it is left but what it stored."""
        process = self._processes.pop(name)
        self.network.bury(process.address, returns=name == process.address)
        if self._revive is not None:
            self._revivals[name] = self.now + REVIVE_AFTER

    def end(self, name: str, stop: Stop) -> None:
        """End a process as its launcher does, with nothing said to anybody."""
        self._processes.pop(name, None)
        self._revivals.pop(name, None)
        self.stops[name] = stop

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Deliver and let time pass until all processes have ended, or `until` says so."""
        while self.running and not (until is not None and until()):
            if not self.step():
                return

    def step(self) -> bool:
        """Deliver one envelope, or let time pass; return False if nothing can ever happen again."""
        delivery = self.network.deliver()
        if delivery is None:
            return self._let_time_pass()
        name = self._names[delivery.to]
        process = self._processes.get(name)
        if process is not None and process.address == delivery.to:
            if process.paused_until is None:
                self._handle(name, process, delivery)
            else:
                process.inbox.append(delivery)
        return True

    def tell(self, name: str, effects: list[Effect]) -> None:
        """Carry out effects that a machine returned to somebody outside."""
        self._act(name, effects)

    def _handle(self, name: str, process: _Process, delivery: Delivery) -> None:
        self.delivered += 1
        struck = None if process.injector is None else process.injector.strike(of_arrival(delivery.envelope))
        if isinstance(struck, Pause):
            process.inbox.append(delivery)
        if self._struck(name, process, struck, []):
            return
        process.history.note(self.now, delivery.envelope)
        try:
            self._act(name, process.machine.receive(delivery.envelope, delivery.origin, self.now))
            process.machine.prepare()
            if self._validate:
                process.machine.validate()
        except Exception as error:
            process.history.add_to(error)
            raise

    def _let_time_pass(self) -> bool:
        """Jump to the next moment somebody asked for, and do what is due there."""
        wanted = {name: self._next_moment(process) for name, process in self._processes.items()}
        times = [time for time in wanted.values() if time is not None] + list(self._revivals.values())
        if not times:
            return False
        self.now = max(self.now, min(times))
        for name in [name for name, time in self._revivals.items() if time <= self.now]:
            del self._revivals[name]
            assert self._revive is not None
            self._revive(name)
        for name, time in wanted.items():
            process = self._processes.get(name)
            if process is not None and time is not None and time <= self.now:
                self._wake(name, process)
        return True

    def _next_moment(self, process: _Process) -> float | None:
        released = None if process.injector is None else process.injector.next_release()
        own = process.machine.next_event() if process.paused_until is None else process.paused_until
        return min((time for time in (released, own) if time is not None), default=None)

    def _wake(self, name: str, process: _Process) -> None:
        if process.injector is not None:
            for parcel in process.injector.released(self.now):
                self._put(process, parcel)
        if process.paused_until is None:
            try:
                self._act(name, process.machine.tick(self.now))
                if self._validate:
                    process.machine.validate()
            except Exception as error:
                process.history.add_to(error)
                raise
            return
        if process.paused_until > self.now:
            return
        process.paused_until = None
        while process.pending and self._processes.get(name) is process and process.paused_until is None:
            self._act(name, process.pending.popleft())
        while process.inbox and self._processes.get(name) is process and process.paused_until is None:
            self._handle(name, process, process.inbox.popleft())

    def _act(self, name: str, effects: list[Effect]) -> None:
        """Carry out effects in order, as far as the process lives and is not paused."""
        process = self._processes[name]
        if process.paused_until is not None:
            process.pending.append(effects)
            return
        if effects:
            process.history.note(self.now, effects)
        for index, effect in enumerate(effects):
            injector, rest = process.injector, effects[index + 1 :]
            if injector is not None and self._struck(
                name, process, injector.strike(before_effect(effect)), effects[index:]
            ):
                return
            if isinstance(effect, Stop):
                self._stop(name, effect)
                return
            try:
                self._carry_out(process, effect)
            except StorageFailed as error:
                self._storage_failed(name, process, str(error), rest)
                return
            if injector is not None and self._struck(
                name, process, injector.strike(after_effect(effect)), rest
            ):
                return

    def _storage_failed(self, name: str, process: _Process, why: str, undone: list[Effect]) -> None:
        """Tell a machine what could not be carried out, as the loop of a real process does."""
        self._act(name, process.machine.failed(ExitCode.STORAGE, why, self.now, undone))
        if self._processes.get(name) is process and any(isinstance(effect, Stop) for effect in undone):
            self._stop(name, Stop(ExitCode.STORAGE, why))

    def _struck(self, name: str, process: _Process, fault: ProcessFault | None, rest: list[Effect]) -> bool:
        """Do to a process what is in store for it; return whether it does not go on just now."""
        match fault:
            case Kill():
                self.kill(name)
            case Pause(seconds=seconds):
                process.paused_until = self.now + seconds
                if rest:
                    process.pending.append(rest)
            case Exhaust(of="memory"):
                self._stop(name, Stop(ExitCode.STORAGE, OUT_OF_MEMORY))
            case Exhaust(of=of, seconds=lasting):
                process.short[of] = self.now + (float("inf") if lasting is None else lasting)
                return False
        return fault is not None

    def _stop(self, name: str, stop: Stop) -> None:
        """Let a process end by itself."""
        self.stops[name] = stop
        del self._processes[name]
        if self._missed is not None and self._missed(name):
            self._revivals[name] = self.now + REVIVE_AFTER

    def _carry_out(self, process: _Process, effect: Effect) -> None:
        why = process.refusal(effect, self.now)
        if why:
            raise StorageFailed(why)
        if isinstance(effect, Transmit):
            if process.injector is None:
                self.network.send(process.address, effect.route, effect.envelope)
            else:
                for parcel in process.injector.outgoing(effect, self.now):
                    self._put(process, parcel)
        elif isinstance(effect, Connect):
            self.network.connect(process.address, effect.route, effect.endpoint)
        else:
            process.perform(effect)

    def _put(self, process: _Process, parcel: Parcel) -> None:
        """Put a parcel on the network; one with flipped bits is refused at its destination."""
        transmit = parcel.transmit
        if not parcel.flips:
            self.network.send(process.address, transmit.route, transmit.envelope)
            return
        frames = [bytes(frame) for frame in encode(transmit.envelope)]
        try:
            envelope = decode(list(flip_bits(frames, parcel.flips)))
        except MalformedMessage as error:
            target = self._processes.get(process_name(COORDINATOR if transmit.to < 0 else transmit.to))
            if target is not None:
                target.machine.links.refused["malformed"] += 1
                target.perform(Log("debug", "refused", {"reason": str(error)}))
            return
        self.network.send(process.address, transmit.route, envelope)
