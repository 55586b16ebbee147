"""Transcripts of machines: messages in, effects out, as text that a person can read.

::

    # A parent may be faster than the coordinator: the child waits for the states.
    given agent=1 parents=(0,) parent_actions=(2,)
    joined
    > agent 0: ActionsChosen round=0 turn=0 [1, 1]
    > coordinator: StatesAnnounced round=0 turn=0 time=0 lane=0 [0, 1]
      to coordinator: ActionsChosen round=0 turn=0 [0, 1]

A line with ``>`` is a message that comes in; ``> agent 0 {seq=1 epoch=2}:`` gives fields of its envelope,
which are right by themselves otherwise. ``~ 0.5`` lets seconds pass, ``~ 0.5 unacknowledged`` with peers that
acknowledge nothing. ``joined`` leads the machine to its first round, ``joined round=3`` to that one,
``epoch 2`` and ``generation 2`` let the peers speak in another one. ``(failed STORAGE: disk full)`` is the
shell that could not carry out an effect, ``(abandoned: its launcher is gone)`` the one whose lifeline was
cut. ``given`` begins a new scene.

Indented lines are what the machine wants done; acknowledgements, beacons and logs for information are left
out. Thetas are called by their names and numbers are rounded, so that a transcript reads the same everywhere.
"""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import numpy as np
from bnpg_agents.effects import Adopt, Relive, Store
from bnpg_coordinator.effects import (
    Conclude,
    DropSealed,
    Gathered,
    KeepCritic,
    KeepSealed,
    Record,
    Rewind,
    SyncRecord,
)
from bnpg_coordinator.line import fields_of
from bnpg_protocol.process.machine import Machine
from bnpg_protocol.wire.addresses import COORDINATOR, UNASSIGNED, name
from bnpg_protocol.wire.effects import Connect, Effect, Log, Stop, Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import (
    KINDS,
    Acknowledgement,
    Beacon,
    CheckpointsRequested,
    CheckpointsReturned,
    Hello,
    Message,
    Reject,
    Summons,
    Tensor,
    Welcome,
)

_ARRIVAL = re.compile(r"> (coordinator|agent (?:\d+|none))(?: \{([^}]*)\})?: (\w+)(.*)")
_FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
_FAILED = re.compile(r"\(failed (\w+): (.*)\)")
_ABANDONED = re.compile(r"\(abandoned: (.*)\)")
_QUIET = (Acknowledgement, Beacon)
LONGEST_BYTES = 40
"""Bytes that are shown; of more, what a peer sealed, only how many they are."""
_MOST_TICKS = 10_000
_OUTSIDE = (Hello, Welcome, Reject, Summons, CheckpointsRequested, CheckpointsReturned)
"""Messages that belong to no epoch."""


class Stage:
    """What a transcript is played on: a machine, the clock, and the numbers its peers count with.

    Subclasses say how the machine is made and how it gets to its first round.
    """

    me: int

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.machine: Machine | None = None
        self.now = 0.0
        self.generation = 1
        self.epoch = 0
        self._sent: dict[tuple[int, int, int], int] = {}
        self._heard: dict[tuple[int, int, int], int] = {}
        self._lives: dict[int, int] = {}
        self._names: dict[str, str] = {}
        self._stopped = False

    def make(self, fields: dict[str, Any]) -> Machine:
        """Make the machine from the fields of a `given` line."""
        raise NotImplementedError

    def join(self, fields: dict[str, Any]) -> Iterator[str]:
        """Return the arrivals that lead the machine to its first round."""
        raise NotImplementedError

    def origin(self, sender: int, incarnation: int) -> str:
        """Return the route on which a peer's messages come in."""
        raise NotImplementedError

    # Playing

    def play(self, text: str) -> str:
        """Return a transcript with what the machine really does in place of the indented lines."""
        played = []
        for line in text.splitlines():
            if line.startswith("  "):
                continue
            played.append(line)
            for shown, group in groupby(self._line(line)):
                times = len(list(group))
                played.append(f"  {shown}" if times == 1 else f"  {shown} ({times} times)")
        return "\n".join(played) + "\n"

    def _line(self, line: str) -> list[str]:
        if not line or line.startswith("#"):
            return []
        if line.startswith("given"):
            self._begin()
            self.machine = self.make(_fields(line))
            return []
        if self.machine is None:
            self.machine = self.make({})
        if line.startswith("joined"):
            for arrival in self.join(_fields(line)):
                self._line(arrival)
            return []
        if line.startswith("epoch "):
            self.epoch = int(line.removeprefix("epoch "))
            return []
        if line.startswith("generation "):
            self.generation = int(line.removeprefix("generation "))
            return []
        if line.startswith("~ "):
            seconds, _, unacknowledged = line[2:].partition(" ")
            return self._pass_time(float(seconds), acknowledged=not unacknowledged)
        failed, abandoned = _FAILED.fullmatch(line), _ABANDONED.fullmatch(line)
        if failed:
            return self._shown(self.machine.failed(ExitCode[failed[1]], failed[2], self.now))
        if abandoned:
            return self._shown(self.machine.abandon(abandoned[1], self.now))
        assert not self._stopped, f"the process has ended before: {line!r}"
        return self._shown(self._arrive(line))

    def _arrive(self, line: str) -> list[Effect]:
        match = _ARRIVAL.fullmatch(line)
        assert match, f"no line of a transcript: {line!r}"
        who, envelope_fields, kind, rest = match.groups()
        sender = {"coordinator": COORDINATOR, "agent none": UNASSIGNED}.get(who)
        if sender is None:
            sender = int(who.removeprefix("agent "))
        message = _message(KINDS[kind], rest, self._named)
        envelope = self._envelope(sender, message, _fields(envelope_fields or ""))
        assert self.machine is not None
        origin = self.origin(sender, envelope.incarnation)
        return self.machine.receive(envelope, origin, self.now)

    def _envelope(self, sender: int, message: Message, given: dict[str, Any]) -> Envelope:
        fields: dict[str, Any] = {
            "run": "run",
            "generation": self.generation,
            "epoch": 0 if type(message) in _OUTSIDE else self.epoch,
            "sender": sender,
            "incarnation": self.generation if sender == COORDINATOR else self._lives.get(sender, 1),
            "lamport": 0,
        } | given
        self._lives[sender] = max(self._lives.get(sender, 1), fields["incarnation"])
        fields.setdefault("ack", self._heard.get((sender, fields["generation"], fields["epoch"]), 0))
        if type(message).sequenced and "seq" not in given:
            key = (sender, fields["generation"], fields["epoch"])
            fields["seq"] = self._sent[key] = self._sent.get(key, 0) + 1
        return Envelope(**({"seq": 0} | fields), message=message)

    def _pass_time(self, seconds: float, acknowledged: bool) -> list[str]:
        assert self.machine is not None
        shown: list[str] = []
        end = self.now + seconds
        for _ in range(_MOST_TICKS):
            if self._stopped:
                return shown
            if acknowledged:
                shown += self._acknowledge()
            moment = self.machine.next_event()
            if moment is None or moment > end:
                self.now = end
                return shown
            self.now = max(self.now, moment)
            shown += self._shown(self.machine.tick(self.now))
        raise AssertionError(f"the machine never lets {seconds:g} s pass: it wants to be woken all the time")

    def _acknowledge(self) -> list[str]:
        """Let all peers acknowledge what they were sent in the present epoch."""
        assert self.machine is not None
        shown: list[str] = []
        for (peer, generation, epoch), heard in list(self._heard.items()):
            if (generation, epoch) == (self.generation, self.epoch):
                envelope = self._envelope(peer, Acknowledgement(), {"ack": heard})
                origin = self.origin(peer, envelope.incarnation)
                shown += self._shown(self.machine.receive(envelope, origin, self.now))
        return shown

    # Showing

    def _shown(self, effects: list[Effect]) -> list[str]:
        return [line for effect in effects for line in self._effect(effect)]

    def _effect(self, effect: Effect) -> Iterator[str]:
        match effect:
            case Transmit(envelope=envelope, to=to):
                key = (to, envelope.generation, envelope.epoch)
                self._heard[key] = max(self._heard.get(key, 0), envelope.seq)
                if not isinstance(envelope.message, _QUIET):
                    yield f"to {name(to)}: {self._text(envelope.message)}"
            case Connect(route=route, endpoint=endpoint):
                yield f"connect {route} to {endpoint}"
            case Log(level=level, event=event, fields=fields):
                if level != "info":
                    yield f"{level}: {event} " + " ".join(f"{key}={value}" for key, value in fields.items())
            case Stop(code=code, why=why):
                self._stopped = True
                yield f"stop {code.name}: {why}"
            case Store(round=round_, snapshot=snapshot):
                self._names[snapshot.digest] = f"theta_{round_}"
                yield f"store theta_{round_}"
            case Relive(incarnation=incarnation):
                yield f"live as life {incarnation}"
            case KeepSealed(agent=agent, round=round_, sealed=sealed):
                yield f"keep {len(sealed)} bytes of round {round_} for {name(agent)}"
            case KeepCritic(round=round_):
                yield f"keep the critic of round {round_}"
            case DropSealed(agent=agent, round=round_):
                yield f"drop what is kept of round {round_} for {name(agent)}"
            case Adopt(agent=agent, experiment=experiment):
                yield f"adopt agent {agent} of {experiment}"
            case Record(line=line):
                numbers = fields_of(line).items()
                yield "record " + " ".join(f"{key}={_number(value)}" for key, value in numbers)
            case SyncRecord():
                yield "sync the record"
            case Rewind(round=round_):
                yield f"rewind to round {round_}"
            case Gathered(thetas=thetas):
                yield f"gathered {len(thetas)} thetas"
            case Conclude(state=state, why=why, rounds=rounds):
                yield f"concluded {state} after {rounds} rounds: {why}"
            case _:
                raise AssertionError(effect)

    def _text(self, message: Message) -> str:
        words = [type(message).__name__]
        defaults = _defaults(type(message))
        for field in message.__struct_fields__:
            value = getattr(message, field)
            if field in defaults and np.array_equal(value, defaults[field]):
                continue
            if isinstance(value, np.ndarray):
                words.append(_array(value))
            elif isinstance(value, str):
                words.append(f'{field}="{self._names.get(value, value)}"')
            else:
                words.append(f"{field}={_number(value)}")
        return " ".join(words)

    def _named(self, text: str) -> str:
        """Return the digest of the theta that a transcript calls by its name."""
        return {shown: digest_ for digest_, shown in self._names.items()}.get(text, text)


def _fields(text: str) -> dict[str, Any]:
    return {key: _value(value) for key, value in _FIELD.findall(text)}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _message(kind: type[Message], text: str, named: Callable[[str], str]) -> Message:
    scalars, bracket, arrays = text.partition(" [")
    numbers = ast.literal_eval("[[" + arrays.replace("] [", "],[") + "]") if bracket else []
    fields = {
        key: named(value) if isinstance(value, str) else value for key, value in _fields(scalars).items()
    }
    hints = get_type_hints(kind, include_extras=True)
    for field in kind.__struct_fields__:
        rule = next((one for one in get_args(hints[field]) if isinstance(one, Tensor)), None)
        if rule is not None and field not in fields and (numbers or field not in _defaults(kind)):
            fields[field] = np.array(numbers.pop(0) if numbers else [], dtype=next(iter(rule.dtypes)))
    return kind(**fields)


def _defaults(kind: type[Message]) -> dict[str, Any]:
    """Return what a message says if it is not told otherwise; transcripts leave that out."""
    fields = [field for field in msgspec.structs.fields(kind) if not field.required]
    return {
        field.name: field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        for field in fields
    }


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace(" ", "")


def _array(array: "np.ndarray[Any, Any]") -> str:
    if array.dtype == np.uint8 and array.size > LONGEST_BYTES:
        return f"[{array.size} bytes]"
    rounded = np.round(array, 4) + 0.0 if array.dtype.kind == "f" else array
    return str(rounded.tolist())


def transcripts(folder: Path) -> list[Path]:
    """Return the transcripts in a folder."""
    return sorted(folder.glob("*.txt"))
