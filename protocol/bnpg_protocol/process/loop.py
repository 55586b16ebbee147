"""The shell of a process: receive, handle, carry out, repeat. One thread owns the sockets and the machine."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from bnpg_protocol.core import LOOK_AROUND, Core, Exchange, Opened, compiled
from bnpg_protocol.process.asked_to_end import AskedToEnd
from bnpg_protocol.process.awake import COUNTED
from bnpg_protocol.process.endings import noting
from bnpg_protocol.process.faults.execution import FaultExecution
from bnpg_protocol.process.history import History
from bnpg_protocol.process.machine import Machine
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.security.keys import short
from bnpg_protocol.process.security.quarantine import Quarantine
from bnpg_protocol.process.throttle import Throttle
from bnpg_protocol.process.transport.interface import Arrival, Transport
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.effects import Admit, Connect, Effect, Log, Stop, Transmit
from bnpg_protocol.wire.errors import MalformedMessage, StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

if TYPE_CHECKING:
    from bnpg_protocol.process.recorder import TraceRecorder

LONGEST_WAIT = 0.5
"""Seconds the loop sleeps at the most before it looks at signals and at its lifeline."""

REFUSALS = frozenset({"refused", "rejected"})
"""Events that count against whoever caused them."""

PROVOKED = REFUSALS | {
    *("quarantined", "turned away", "not let in", "not connected", "connection ended"),
    *("nobody is let in", "no room for more connections", "listening again"),
}
"""Events that others can cause as often as they like, with none of which they may fill a log."""

Perform = Callable[[Effect], None]


class Loop:
    """One process between its transport and its machine.

    Parameters
    ----------
    machine : Machine
        Decides.
    transport : Transport
        Carries.
    perform
        Carries out the effects that only this kind of process knows; may raise `StorageFailed`.
    on_signal
        Called when a signal asked for the end; returns what is to be done because of it.
    housekeeping
        Called now and then, for housekeeping that no message asks for; returns what is to be done.
    faults : FaultExecution, optional
        Carries out what a fault plan has in store for this process.
    admission : Admission, optional
        Who may speak as whom, where there is security.
    recorder : TraceRecorder, optional
        Where the machine's events go.
    clock
        Monotonic seconds.
    core
        Opens what deals with the messages of a step instead of the machine, where it was compiled. Not for
        loops with faults, admission or a recorder, whose part it leaves out.
    """

    def __init__(
        self,
        machine: Machine,
        transport: Transport,
        perform: Perform,
        on_signal: Callable[[float], list[Effect]],
        housekeeping: Callable[[float], list[Effect]],
        faults: FaultExecution | None = None,
        admission: Admission | None = None,
        recorder: "TraceRecorder | None" = None,
        clock: Callable[[], float] = time.monotonic,
        core: Opened | None = None,
    ) -> None:
        self._machine = machine
        self._transport = transport
        self._perform = perform
        self._on_signal = on_signal
        self._housekeeping = housekeeping
        self._faults = faults
        self._admission = admission
        self._quarantine = Quarantine()
        self._throttles: defaultdict[str, Throttle] = defaultdict(Throttle)
        self._recorder = recorder
        self._clock = clock
        self._asked_to_end = AskedToEnd()
        self._next_tick = 0.0
        self._looked_at = 0.0
        self._history = History()
        self._core: Core | None = None
        self._exchange: Exchange | None = None
        module = None if core is None else compiled()
        if core is not None and module is not None:
            unknown = (faults, admission, recorder)
            assert not any(sender is not None for sender in unknown), "the core knows none of them"
            self._core = core(module, transport.send, self._history, self._quarantine)
            exchanges = transport.exchange(module)
            if exchanges is not None:
                parts = (self._core, transport, self._machine_takes, machine.prepare, clock)
                self._exchange = exchanges(*parts)

    def run(self) -> Stop:
        """Work until the machine stops; return how it ended."""
        try:
            with noting(self._asked_to_end.asked):
                return self._run()
        except Exception as error:
            self._history.add_to(error)
            raise
        finally:
            self._asked_to_end.answered()
            self._transport.close()

    def _run(self) -> Stop:
        transport, clock, asked = self._transport, self._clock, self._asked_to_end
        self._looked_at = due = clock()
        while True:
            now = clock()
            if now >= due or asked.pending:
                stop = self._look_around(now, now >= self._next_tick)
                if stop is not None:
                    return stop
                due = self._next_tick
            if self._exchange is not None:
                due = self._exchange.run(due)
                if self._exchange.stop is not None:
                    return self._exchange.stop
                if not self._exchange.left:
                    continue
                now = clock()
            wait = due - now
            if self._faults is not None:
                wait = min(wait, self._faults.release(transport))
            arrivals = transport.receive(max(0.0, wait))
            for arrival in arrivals:
                stop = self._arrived(arrival)
                if stop is not None:
                    return stop
            if arrivals:
                self._machine.prepare()
            # What arrived may have changed what is wanted when, but nothing is wanted at once.
            due = min(due, now + LOOK_AROUND) if arrivals else now

    def _look_around(self, now: float, tick: bool) -> Stop | None:
        """Do what no message asks for, and find out when there is more of it to do."""
        machine = self._machine
        if now - self._looked_at > COUNTED:
            machine.stood_still(now - self._looked_at - COUNTED, now)
        self._looked_at = now
        effects = self._housekeeping(now)
        if self._asked_to_end.pending:
            self._asked_to_end.answered()
            effects += self._on_signal(now)
        if tick:
            effects += machine.tick(now)
        stop = self._act(effects)
        wanted = machine.next_event()
        self._next_tick = now + LONGEST_WAIT if wanted is None else min(wanted, now + LONGEST_WAIT)
        return stop

    def _arrived(self, arrival: Arrival) -> Stop | None:
        """Deal with an arrival: the core if it can, else the machine."""
        if self._core is not None and self._core(arrival, self._clock()):
            return None
        return self._machine_takes(arrival)

    def _machine_takes(self, arrival: Arrival) -> Stop | None:
        """Let an arrival in or refuse it; whatever is wrong with it, this process goes on."""
        machine, now = self._machine, self._clock()
        sender = arrival.key or arrival.origin
        if self._quarantine.holds(sender, now):
            machine.links.refused["quarantined"] += 1
            return None
        try:
            envelope = decode(arrival.frames)
        except MalformedMessage as error:
            return self._refused(arrival, "malformed", str(error))
        if arrival.key and self._admission is not None:
            objection = self._admission.objection(arrival.key, envelope)
            if objection:
                return self._refused(arrival, objection, f"{type(envelope.message).__name__} refused")
        if self._faults is not None:
            self._faults.arrival(envelope)
        self._history.note(now, envelope)
        effects = machine.receive(envelope, arrival.origin, now, arrival.key)
        for effect in effects:
            if type(effect) is Log and effect.event in REFUSALS:
                effects += self._offence(arrival, now)
                break
        else:
            self._quarantine.accepted(sender)
        return self._act(effects) if effects else None

    def _refused(self, arrival: Arrival, reason: str, detail: str) -> Stop | None:
        """Count and log an arrival that the machine never sees."""
        self._machine.links.refused[reason] += 1
        fields = {"from": _shown(arrival), "reason": reason, "detail": detail}
        return self._act([Log("warning", "refused", fields), *self._offence(arrival, self._clock())])

    def _offence(self, arrival: Arrival, now: float) -> list[Effect]:
        """Put whoever is refused too often in quarantine."""
        seconds = self._quarantine.refused(arrival.key or arrival.origin, now)
        if not seconds:
            return []
        return [Log("warning", "quarantined", {"from": _shown(arrival), "seconds": seconds})]

    def _act(self, effects: list[Effect]) -> Stop | None:
        """Carry out effects in order; return the Stop among them, if any.

        The trace is flushed before: whoever receives a message can rely on its sender's trace saying so.
        """
        if self._recorder is not None and effects:
            try:
                self._recorder.flush()
            except StorageFailed as error:
                return self._not_stored(error, effects)
        if effects:
            self._history.note(self._clock(), effects)
        faults = self._faults
        for index, effect in enumerate(effects):
            if faults is not None:
                faults.before(effect)
            if type(effect) is Transmit:
                if faults is None:
                    following = effects[index + 1] if index + 1 < len(effects) else None
                    more = isinstance(following, Transmit) and following.route == effect.route
                    self._transport.send(effect.route, encode(effect.envelope), more)
                else:
                    faults.send(self._transport, effect)
            elif isinstance(effect, Connect):
                self._transport.connect(effect.route, effect.endpoint, effect.key)
            elif isinstance(effect, Admit):
                if self._admission is not None:
                    self._admission.replace(effect.owners)
            elif isinstance(effect, Log) and effect.event in PROVOKED:
                left_out = self._throttles[effect.event].passes(self._clock())
                if left_out is not None:
                    self._perform(Log(effect.level, effect.event, effect.fields | {"left_out": left_out}))
            elif isinstance(effect, Stop):
                return effect
            else:
                try:
                    self._perform(effect)
                except StorageFailed as error:
                    return self._not_stored(error, effects[index + 1 :])
            if faults is not None:
                faults.after(effect)
        return None

    def _not_stored(self, error: StorageFailed, undone: list[Effect]) -> Stop | None:
        """Tell the machine that the disk did not take something, and what is not done because of it."""
        stop = self._act(self._machine.failed(ExitCode.STORAGE, str(error), self._clock(), undone))
        if stop is None and any(isinstance(effect, Stop) for effect in undone):
            # It was the last thing to do: nothing is left that could end the process later.
            return Stop(ExitCode.STORAGE, str(error))
        return stop


def _shown(arrival: Arrival) -> str:
    """Name a sender in the log: without the nonce of its connection, and without what could forge a line."""
    if arrival.key:
        return f"key {short(arrival.key)}"
    return ascii(arrival.origin.split("#")[0][:40])
