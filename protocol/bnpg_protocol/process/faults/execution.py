"""Carrying out a fault plan in a real process: bytes that never leave, or late, SIGKILLs and limits."""

import os
import signal
import time
from collections.abc import Callable

from bnpg_protocol.process.faults.injector import FaultInjector, Parcel, flip_bits
from bnpg_protocol.process.faults.moments import Moment, after_effect, before_effect, of_arrival
from bnpg_protocol.process.faults.plan import Exhaust, Kill, Pause
from bnpg_protocol.process.faults.shortage import Shortage
from bnpg_protocol.process.transport.interface import Transport
from bnpg_protocol.wire.codec import Frame, encode
from bnpg_protocol.wire.effects import Effect, Transmit
from bnpg_protocol.wire.envelope import Envelope


class FaultExecution:
    """What the loop of a process asks before, after and instead of what it does.

    Parameters
    ----------
    injector : FaultInjector
        The plan, as far as it concerns this process.
    since : float
        Unix time at which the run started.
    tear
        Called with the effect in whose midst the process is to die, to leave it half done.
    """

    def __init__(
        self, injector: FaultInjector, since: float, tear: Callable[[Effect], None] = lambda _effect: None
    ) -> None:
        self._injector = injector
        self._since = since
        self._tear = tear
        self._shortage = Shortage()

    def send(self, transport: Transport, transmit: Transmit) -> None:
        """Send a transmission as far, as often and as whole as the plan lets it."""
        for parcel in self._injector.outgoing(transmit, self._now()):
            _send(transport, parcel)

    def release(self, transport: Transport) -> float:
        """Send what was delayed until now, give back what is due; return the seconds until there is more."""
        now = self._now()
        self._shortage.end(now)
        for parcel in self._injector.released(now):
            _send(transport, parcel)
        due, ends = self._injector.next_release(), self._shortage.next_end()
        return max(0.0, (ends if due is None else min(due, ends)) - now)

    def arrival(self, envelope: Envelope) -> None:
        """Strike just before an envelope is handled, if the plan says so."""
        self._strike(of_arrival(envelope), None)

    def before(self, effect: Effect) -> None:
        """Strike in the midst of an effect, if the plan says so."""
        self._strike(before_effect(effect), effect)

    def after(self, effect: Effect) -> None:
        """Strike just after an effect, if the plan says so."""
        self._strike(after_effect(effect), None)

    def _strike(self, moment: Moment | None, effect: Effect | None) -> None:
        match self._injector.strike(moment):
            case Kill():
                if effect is not None:
                    self._tear(effect)
                os.kill(os.getpid(), signal.SIGKILL)
            case Pause(seconds=seconds):
                # A hang, not a wait: nothing is handled meanwhile, and no sign of life goes out.
                time.sleep(seconds)
            case Exhaust(of=of, seconds=lasting):
                self._shortage.begin(of, self._now() + (float("inf") if lasting is None else lasting))
            case None:
                pass

    def _now(self) -> float:
        return time.time() - self._since


def _send(transport: Transport, parcel: Parcel) -> None:
    frames: list[Frame] = encode(parcel.transmit.envelope)
    if parcel.flips:
        frames = list(flip_bits([bytes(frame) for frame in frames], parcel.flips))
    transport.send(parcel.transmit.route, frames)
