"""Two teams of one run side by side, one with the compiled core and one without: the same at every event.

Both get the same frames in the same order at the same times. After each event the process it happened to must
be the same in both, down to the last attribute, and so must everything it sent, byte for byte.
"""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from bnpg_agents.effects import Store
from bnpg_agents.machine import AgentMachine
from bnpg_agents.setup import AgentSetup
from bnpg_agents.shell import steady_core as core_of_agent
from bnpg_agents.snapshot import Snapshot
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.machine import CoordinatorMachine
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_coordinator.shell import steady_core as core_of_coordinator
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.process.transport.interface import Arrival
from bnpg_protocol.wire.codec import Frame
from bnpg_protocol.wire.effects import Effect, Log, Stop
from msgspec import Struct, structs

from bnpg.lab.testing.in_memory import setup_of
from bnpg_math.arrays.numerics import fingerprint

COORDINATOR = "coordinator"
_SHARED = (
    "_setup",
    "_clock",
    "_transport",
    "_perform",
    "_on_signal",
    "_housekeeping",
    "_core",
    "_exchange",
    "_uniforms",
)
"""Attributes that both teams share, or that are the difference between them: also what is drawn ahead."""


class Message(Struct):
    """Frames on their way."""

    to: str
    origin: str
    frames: list[Frame]


class _Wire:
    """A transport that keeps what is sent in a list. Every life has connections of its own."""

    endpoint = ""
    admission = None

    def __init__(self, name: str, life: int, sent: list[Message], peers: dict[str, str]) -> None:
        self._name = name
        self._life = life
        self._sent = sent
        self._peers = peers

    def connect(self, route: str, endpoint: str, key: str = "") -> None:  # noqa: ARG002
        self._peers[f"{self._name} {route}"] = endpoint

    def exchange(self, compiled: Any) -> None:
        """Return None: there are no sockets."""

    def send(self, route: str, frames: list[Frame], more: bool = False) -> bool:  # noqa: ARG002
        to = self._peers.get(f"{self._name} {route}", "")
        origin = COORDINATOR if self._name == COORDINATOR else f"{self._name}#{self._life}"
        if not to:
            # An answer on a connection: who made it knows us by the name it gave the connection.
            to = route
            origin = COORDINATOR if origin == COORDINATOR else f"child-{self._name.removeprefix('agent-')}"
        self._sent.append(Message(to, origin, [bytes(frame) for frame in frames]))
        return True


class Team:
    """All processes of a run, in one process, with a clock that is told the time.

    Parameters
    ----------
    setup : CoordinatorSetup
    compiled : bool
        Whether messages of a step are left to the core.
    """

    def __init__(self, setup: CoordinatorSetup, compiled: bool) -> None:
        self.now = 0.0
        self.sent: list[Message] = []
        self.said: list[Any] = []
        """Effects beside messages: lines, thetas, the log."""
        self.stops: dict[str, Stop] = {}
        self.loops: dict[str, Loop] = {}
        self.thetas: dict[str, dict[int, Snapshot]] = {}
        self._compiled = compiled
        self._peers: dict[str, str] = {}
        self._lives = {COORDINATOR: 1}
        machine = CoordinatorMachine(setup, self.now)
        self._add(COORDINATOR, machine, core_of_coordinator(machine))
        for agent in range(setup.dag.agents):
            self.begin(agent)

    def begin(self, agent: int) -> None:
        """Start an agent, or start it again from what it has stored."""
        name = f"agent-{agent}"
        life = self._lives[name] = self._lives.get(name, 0) + 1
        held = dict(self.thetas.setdefault(name, {}))
        machine = AgentMachine(AgentSetup(agent, life, name, fingerprint(), held), self.now)
        self.stops.pop(name, None)
        self._peers[f"{name} {COORDINATOR}"] = COORDINATOR
        self._add(name, machine, core_of_agent(machine))

    @property
    def handled(self) -> int:
        """How many messages cores have dealt with."""
        cores: list[Any] = [loop._core for loop in self.loops.values() if loop._core is not None]
        return sum(core.handled for core in cores)

    def arrive(self, message: Message) -> None:
        """Let a message arrive."""
        name, _, life = message.to.partition("#")
        here = name in self.loops and name not in self.stops
        if here and life in ("", str(self._lives[name])):
            self._note(name, self._arrived(name, message))

    def look(self, name: str) -> None:
        """Let a process find out what is due."""
        if name not in self.stops:
            self._note(name, self._looked(name))

    def close(self) -> None:
        """Let go of what it holds: nothing."""

    def traffic(self, name: str) -> dict[str, Any]:  # noqa: ARG002
        """Return what went over the sockets of a process: it has none."""
        return {}

    def _wire(self, name: str) -> Any:
        """Make what a process sends by."""
        return _Wire(name, self._lives[name], self.sent, self._peers)

    def _arrived(self, name: str, message: Message) -> Stop | None:
        loop = self.loops[name]
        stop = loop._arrived(Arrival(message.origin, message.frames))
        loop._machine.prepare()
        return stop

    def _looked(self, name: str) -> Stop | None:
        return self.loops[name]._look_around(self.now, True)

    def _note(self, name: str, stop: Stop | None) -> None:
        if stop is not None:
            self.stops[name] = stop

    def _add(self, name: str, machine: Any, core: Any) -> None:
        def perform(effect: Effect) -> None:
            if isinstance(effect, Store):
                kept = self.thetas[name]
                for old in [round_ for round_ in kept if round_ < effect.round - 1]:
                    del kept[old]
                kept[effect.round] = effect.snapshot
            elif not isinstance(effect, Log) or effect.event != "epoch":
                self.said.append((name, effect))

        wire = self._wire(name)
        opened = core if self._compiled else None
        nothing: Callable[[float], list[Effect]] = lambda _now: []  # noqa: E731 - typed
        self.loops[name] = Loop(machine, wire, perform, nothing, nothing, clock=lambda: self.now, core=opened)


class Lockstep:
    """A compiled and a Python team of one experiment.

    Parameters
    ----------
    experiment : Experiment
        Of a built-in game.
    kind : type of Team
        Without sockets, or over some.
    relay : bool
        Whether agents hand on what they hear.
    """

    def __init__(self, experiment: Experiment, kind: type[Team] = Team, relay: bool = False) -> None:
        setup = structs.replace(setup_of(experiment, patience=1e6), relay=relay)
        self.compiled, self.python = (kind(setup, compiled) for compiled in (True, False))
        self.pending: list[Message] = []
        """What is on its way; a test takes out of it what it lets arrive."""
        self._collect()

    @property
    def over(self) -> bool:
        """Whether the coordinator has ended: an agent that begins again after it greets for ever."""
        return COORDINATOR in self.python.stops

    def arrive(self, message: Message) -> None:
        """Let a message arrive in both teams, and compare."""
        for team in (self.compiled, self.python):
            team.arrive(Message(message.to, message.origin, list(message.frames)))
        self._compare(message.to.partition("#")[0])

    def look(self, seconds: float) -> None:
        """Let time pass, and every process look around."""
        for team in (self.compiled, self.python):
            team.now += seconds
        for name in list(self.python.loops):
            for team in (self.compiled, self.python):
                team.look(name)
            self._compare(name)

    def begin_again(self, agent: int) -> None:
        """Let an agent die, and start it again."""
        for team in (self.compiled, self.python):
            team.begin(agent)
        self._compare(f"agent-{agent}")

    def close(self) -> None:
        """Close what the teams have open."""
        for team in (self.compiled, self.python):
            team.close()

    def finish(self, most: int = 5_000) -> None:
        """Deliver everything in its order until the run is over."""
        for message in self.coming(most):
            self.arrive(message)
        assert self.over, "the run does not end"

    def coming(self, most: int = 5_000, dice: random.Random | None = None) -> Iterator[Message]:
        """Take out message after message until the run is over, looking around where none is on its way.

        Parameters
        ----------
        most : int
            Messages and looks after which there is an end.
        dice : Random, optional
            Take the first of any link; else they come in their order.
        """
        for _ in range(most):
            if self.over:
                return
            if not self.pending:
                self.look(0.06)
            elif dice is None:
                yield self.pending.pop(0)
            else:
                yield self.take(dice)

    def take(self, dice: random.Random, out_of_order: float = 0.0) -> Message:
        """Take out a message: the first of some link, or now and then any."""
        if dice.random() < out_of_order:
            return self.pending.pop(dice.randrange(len(self.pending)))
        first = {(one.to, one.origin): place for place, one in reversed(list(enumerate(self.pending)))}
        return self.pending.pop(dice.choice(sorted(first.values())))

    def _compare(self, name: str) -> None:
        if name in self.python.loops:
            same(self.compiled.loops[name], self.python.loops[name], name)
            same(self.compiled.traffic(name), self.python.traffic(name), f"sockets of {name}")
        same(self.compiled.sent, self.python.sent, f"sent by {name}")
        same(self.compiled.said, self.python.said, f"said by {name}")
        same(self.compiled.stops, self.python.stops, "stops")
        self._collect()

    def _collect(self) -> None:
        self.pending += self.python.sent
        for team in (self.compiled, self.python):
            team.sent.clear()
            team.said.clear()


def same(one: Any, other: Any, where: str, seen: set[tuple[int, int]] | None = None) -> None:
    """Assert that two objects are the same in every attribute, however deep."""
    if one is other:
        return
    seen = set() if seen is None else seen
    if (id(one), id(other)) in seen:
        return
    seen.add((id(one), id(other)))
    assert type(one) is type(other), f"{where}: {type(one)} and {type(other)}"
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, f"{where}: {one.dtype} and {other.dtype}"
        assert one.shape == other.shape, f"{where}: {one.shape} and {other.shape}"
        assert one.tobytes() == other.tobytes(), f"{where}: {one} and {other}"
        assert one.flags.writeable == other.flags.writeable, f"{where}: writeable"
    elif isinstance(one, dict):
        assert list(one) == list(other), f"{where}: {list(one)} and {list(other)}"
        for key in one:
            same(one[key], other[key], f"{where}[{key!r}]", seen)
    elif isinstance(one, (str, bytes, int, float, bool, type(None), set, frozenset, type)):
        assert one == other, f"{where}: {one!r} and {other!r}"
    elif isinstance(one, (list, tuple)) or hasattr(one, "popleft"):
        assert len(one) == len(other), f"{where}: {len(one)} and {len(other)} elements"
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            same(left, right, f"{where}[{place}]", seen)
    else:
        for name in _attributes(one):
            if name not in _SHARED:
                same(getattr(one, name, None), getattr(other, name, None), f"{where}.{name}", seen)


def _attributes(one: Any) -> list[str]:
    kind: Any = type(one)
    return [*getattr(one, "__dict__", ()), *_declared(kind)]


@cache
def _declared(kind: Any) -> tuple[str, ...]:
    """Return the names of attributes that a type has room for, beside a dictionary."""
    names = list(getattr(kind, "__struct_fields__", ()))
    for parent in kind.__mro__:
        slots = parent.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return tuple(dict.fromkeys(name for name in names if name not in ("__dict__", "__weakref__")))
