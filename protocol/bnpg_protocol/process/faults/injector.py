"""What a fault plan does to one process: to every message it sends, and at every moment of its life.

Every decision is drawn from (seed of the plan, fault, link, incarnation, place on the link), so the same plan
strikes the same messages again, and a retransmission has a new chance.
"""

import heapq
import random
from collections import Counter
from typing import NamedTuple

from bnpg_protocol.process.faults.moments import Moment, round_of
from bnpg_protocol.process.faults.plan import (
    Corrupt,
    Delay,
    FaultPlan,
    LinkFault,
    ProcessFault,
)
from bnpg_protocol.wire.addresses import process_name
from bnpg_protocol.wire.effects import Transmit


class Parcel(NamedTuple):
    """One transmission as the faulty network carries it."""

    transmit: Transmit
    flips: tuple[float, ...] = ()
    """Bits to be flipped, as fractions of the message's length."""


class _Waiting(NamedTuple):
    due: float
    number: int
    parcel: Parcel


class _Overtaken:
    """A message held back until later ones of its link have passed it."""

    def __init__(self, parcel: Parcel, depth: int, due: float) -> None:
        self.parcel = parcel
        self.depth = depth
        self.due = due


class FaultInjector:
    """The plan, as far as it concerns one process.

    Parameters
    ----------
    plan : FaultPlan
    process : str
        `coordinator` or `agent-3`.
    incarnation : int
        Which life of the process this is, from 1.
    """

    def __init__(self, plan: FaultPlan, process: str, incarnation: int) -> None:
        self._plan = plan
        self._process = process
        self._incarnation = incarnation
        self._positions: Counter[str] = Counter()
        self._occurrences: Counter[int] = Counter()
        self._waiting: list[_Waiting] = []
        self._overtaken: dict[str, list[_Overtaken]] = {}
        self._cuts: dict[int, float] = {}
        self._number = 0
        self.struck: Counter[str] = Counter()
        """How often each kind of fault struck."""

    def outgoing(self, transmit: Transmit, now: float) -> list[Parcel]:
        """Take a transmission; return what goes out at once, the rest comes out of `released`.

        Parameters
        ----------
        transmit : Transmit
        now : float
            Seconds since the start of the run.
        """
        to = process_name(transmit.to)
        position = self._positions[to]
        self._positions[to] += 1
        kind, round_ = type(transmit.envelope.message).__name__, round_of(transmit.envelope.message)
        at = (self._process, to, kind, position, round_)
        ready: list[Parcel] = []
        if self._lost(at, now):
            return self._overtake(to, ready)
        parcel = Parcel(transmit, self._flips(at))
        copies = 1
        for number, fault in enumerate(self._plan.duplicate):
            if self._strikes("duplicate", number, fault, at):
                copies += fault.copies
        delay = sum(
            _seconds(fault, self._draw("delay seconds", number, at))
            for number, fault in enumerate(self._plan.delay)
            if self._strikes("delay", number, fault, at)
        )
        for copy in range(copies):
            if delay:
                self._wait(parcel, now + delay * (1 + copy))
            elif copy == 0 and self._hold(parcel, at, now):
                continue
            else:
                ready.append(parcel)
        return self._overtake(to, ready)

    def released(self, now: float) -> list[Parcel]:
        """Return what was delayed until now."""
        ready = []
        while self._waiting and self._waiting[0].due <= now:
            ready.append(heapq.heappop(self._waiting).parcel)
        for held in self._overtaken.values():
            late = [delayed for delayed in held if delayed.due <= now]
            ready += [delayed.parcel for delayed in late]
            held[:] = [delayed for delayed in held if delayed.due > now]
        return ready

    def next_release(self) -> float | None:
        """Return when `released` has something, or None."""
        times = [delayed.due for held in self._overtaken.values() for delayed in held]
        if self._waiting:
            times.append(self._waiting[0].due)
        return min(times, default=None)

    def strike(self, moment: Moment | None) -> ProcessFault | None:
        """Return what happens to the process at this moment."""
        if moment is None:
            return None
        faults = (*self._plan.kill, *self._plan.pause, *self._plan.exhaust)
        for number, fault in enumerate(faults):
            if fault.strikes(self._process, self._incarnation, *moment):
                self._occurrences[number] += 1
                if self._occurrences[number] == fault.after:
                    self.struck[type(fault).__name__.lower()] += 1
                    return fault
        return None

    def _lost(self, at: "tuple[str, str, str, int, int | None]", now: float) -> bool:
        sender, to, _, _, round_ = at
        for number, cut in enumerate(self._plan.partition):
            start = cut.start
            if cut.round is not None:
                if round_ is not None and round_ >= cut.round:
                    self._cuts.setdefault(number, now)
                start = self._cuts.get(number)
            if start is not None and start <= now < start + cut.seconds and cut.separates(sender, to):
                self.struck["partition"] += 1
                return True
        return any(self._strikes("drop", number, fault, at) for number, fault in enumerate(self._plan.drop))

    def _flips(self, at: "tuple[str, str, str, int, int | None]") -> tuple[float, ...]:
        flips: list[float] = []
        for number, fault in enumerate(self._plan.corrupt):
            if self._strikes("corrupt", number, fault, at):
                flips += _places(fault, self._draw("corrupt bits", number, at))
        return tuple(flips)

    def _hold(self, parcel: Parcel, at: "tuple[str, str, str, int, int | None]", now: float) -> bool:
        for number, fault in enumerate(self._plan.reorder):
            if self._strikes("reorder", number, fault, at):
                # One more: the very call that holds it back counts as the first that passes.
                held = _Overtaken(parcel, fault.depth + 1, now + fault.seconds)
                self._overtaken.setdefault(at[1], []).append(held)
                return True
        return False

    def _overtake(self, to: str, ready: list[Parcel]) -> list[Parcel]:
        """Count one more message on a link; let go what was overtaken often enough."""
        for delayed in self._overtaken.get(to, []):
            delayed.depth -= 1
        ready += [delayed.parcel for delayed in self._overtaken.get(to, []) if delayed.depth <= 0]
        if to in self._overtaken:
            self._overtaken[to] = [delayed for delayed in self._overtaken[to] if delayed.depth > 0]
        return ready

    def _wait(self, parcel: Parcel, due: float) -> None:
        self._number += 1
        heapq.heappush(self._waiting, _Waiting(due, self._number, parcel))

    def _strikes(
        self, kind: str, number: int, fault: LinkFault, at: "tuple[str, str, str, int, int | None]"
    ) -> bool:
        if not fault.touches(*at) or self._draw(kind, number, at).random() >= fault.probability:
            return False
        self.struck[kind] += 1
        return True

    def _draw(self, what: str, number: int, at: "tuple[str, str, str, int, int | None]") -> random.Random:
        sender, to, _, position, _ = at
        key = (self._plan.seed, what, number, sender, to, self._incarnation, position)
        return random.Random(repr(key))  # noqa: S311


def flip_bits(frames: "list[bytes]", flips: tuple[float, ...]) -> "list[bytes]":
    """Return frames with bits flipped at the given fractions of their joint length."""
    content = bytearray(b"".join(frames))
    for place in {int(flip * len(content) * 8) for flip in flips}:
        content[place // 8] ^= 1 << (place % 8)
    flipped, start = [], 0
    for frame in frames:
        flipped.append(bytes(content[start : start + len(frame)]))
        start += len(frame)
    return flipped


def _seconds(fault: Delay, draw: random.Random) -> float:
    match fault.distribution:
        case "constant":
            return fault.seconds
        case "uniform":
            return draw.uniform(0.0, 2.0 * fault.seconds)
        case "exponential":
            return draw.expovariate(1.0 / fault.seconds) if fault.seconds else 0.0
        case "lognormal":
            return fault.seconds * draw.lognormvariate(0.0, 1.0)


def _places(fault: Corrupt, draw: random.Random) -> list[float]:
    return [draw.random() for _ in range(fault.bits)]
