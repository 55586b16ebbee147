"""From trace files to events; whatever was taken away, added, moved or changed in a file shows here."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from bnpg_protocol.process.recorder import GENESIS, chained
from bnpg_protocol.wire.addresses import agent_of

from bnpg.trace.schema import objection
from bnpg_math.errors import InputError

_NAME = re.compile(r"(coordinator|agent-\d+)\.([1-9]\d*)\.jsonl")
_TAIL = re.compile(rb',"h":"([0-9a-f]{16})"\}$')


class Violation(Exception):
    """The trace shows that something was out of order, or that the trace itself was changed."""

    def __init__(self, why: str, *events: "TraceEvent") -> None:
        super().__init__(why)
        self.why = why
        self.events = events


@dataclass(frozen=True)
class TraceEvent:
    """One line of a trace.

    Parameters
    ----------
    process : str
        `coordinator` or `agent-3`.
    life : int
        Generation or incarnation.
    number : int
        Place in the file, from 0.
    fields : dict
        What the line says.
    """

    process: str
    life: int
    number: int
    fields: dict[str, Any]

    @property
    def kind(self) -> str:
        """What kind of event this is: `send`, `act`, .."""
        return str(self.fields["k"])

    @property
    def epoch(self) -> tuple[int, int]:
        """Generation and epoch it belongs to."""
        return int(self.fields["g"]), int(self.fields["e"])

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]

    def __str__(self) -> str:
        return f"{self.process}.{self.life}.jsonl:{self.number + 1}: {json.dumps(self.fields)}"


@dataclass(frozen=True)
class Life:
    """The trace of one life of one process."""

    process: str
    life: int
    events: tuple[TraceEvent, ...]
    head: str
    """Chain hash of the last line."""
    torn: bool = False
    """Whether there is half a line at the end: the process was killed while it was written."""

    @property
    def closed(self) -> bool:
        """Whether the process ended by itself; else it was killed."""
        return self.events[-1].kind == "end"

    @property
    def agent(self) -> int | None:
        """Its index if it is an agent."""
        return agent_of(self.process)


def read_trace(folder: Path) -> list[Life]:
    """Read all lives of a trace, the coordinator's first, then the agents', in the order of their starts.

    Raises
    ------
    InputError
        If there is no trace.
    Violation
        If a file is not as it was written.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder with a trace; record one with: bnpg train ... --trace")
    lives = []
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise Violation(f"{path.name} is no file of a trace")
        lives.append(_read_life(path, match[1], int(match[2])))
    if not lives:
        raise InputError(f"{folder} holds no trace; record one with: bnpg train ... --trace")
    return sorted(lives, key=lambda life: (-1 if life.agent is None else life.agent, life.life))


def _read_life(path: Path, process: str, life: int) -> Life:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    whole, _, torn = content.rpartition(b"\n")
    events: list[TraceEvent] = []
    head: str = GENESIS
    for number, raw in enumerate(whole.split(b"\n") if whole else []):
        where = f"{path.name}:{number + 1}"
        tail = _TAIL.search(raw)
        if tail is None:
            raise Violation(f"{where} is no line of a trace")
        text = raw[: tail.start()]
        if chained(head, text) != tail[1].decode():
            raise Violation(
                f"{where} does not follow from the line before: a line was changed, moved or removed"
            )
        head = tail[1].decode()
        wrong = objection(raw)
        if wrong is not None:
            raise Violation(f"{where} is no event of a trace: {wrong}")
        fields = msgspec.json.decode(raw)
        if fields["n"] != number:
            raise Violation(f"{where} has number {fields['n']}, expected {number}")
        if events and events[-1].kind == "end":
            raise Violation(f"{where} comes after the end of its process", events[-1])
        events.append(TraceEvent(process, life, number, fields))
    if torn and events and events[-1].kind == "end":
        raise Violation(f"{path.name} goes on after its end")
    if not events:
        raise Violation(f"{path.name} is empty")
    first = events[0]
    if first.kind != "start" or first["process"] != process or first["life"] != life:
        raise Violation(f"{path.name} does not begin with the start of {process}, life {life}", first)
    return Life(process, life, tuple(events), head, bool(torn))
