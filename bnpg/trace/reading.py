"""From trace files to events; whatever was taken away, added, moved or changed in a file shows here."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from bnpg_protocol.process.recorder import GENESIS, chained
from bnpg_protocol.process.trace_line import EndLine, Line, LineInEpoch, StartLine, decode_line, encode_line
from bnpg_protocol.wire.addresses import agent_of
from msgspec import Struct

from bnpg_files.names import said
from bnpg_files.reading import read_bytes
from bnpg_math.errors import InputError

_NAME = re.compile(r"(coordinator|agent-\d+)\.([1-9]\d*)\.jsonl")
_CHAIN = re.compile(rb',"h":"([0-9a-f]{16})"\}$')


class Violation(Exception):
    """The trace shows that something was out of order, or that the trace itself was changed."""

    def __init__(self, why: str, *events: "TraceEvent") -> None:
        self.why = said(why)
        super().__init__(self.why)
        self.events = events


class TraceEvent(Struct, frozen=True, eq=False, gc=False):
    """One line of a trace, and whose it is.

    Parameters
    ----------
    process : str
        `coordinator` or `agent-3`.
    life : int
        Generation or incarnation.
    line : Line
        What it says.
    """

    process: str
    life: int
    line: Line

    @property
    def verb(self) -> str:
        """What happened, as the line says in `k`: `send`, `act`, .."""
        return str(self.line.__struct_config__.tag)

    @property
    def epoch(self) -> tuple[int, int]:
        """Generation and epoch it belongs to; (0, 0) outside of all."""
        return (self.line.generation, self.line.epoch) if isinstance(self.line, LineInEpoch) else (0, 0)

    @property
    def round(self) -> int | None:
        """The round it is of, if it is of one."""
        return getattr(self.line, "round", None)

    @property
    def turn(self) -> int | None:
        """The turn it is of, if it is of one."""
        return getattr(self.line, "turn", None)

    def __str__(self) -> str:
        text = encode_line(self.line).decode()
        return f"{self.process}.{self.life}.jsonl:{self.line.number + 1}: {text}}}"


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
    def start(self) -> StartLine:
        """What its first line says."""
        first = self.events[0].line
        assert isinstance(first, StartLine)
        return first

    @property
    def end(self) -> EndLine | None:
        """How the process ended by itself; None if it was killed."""
        last = self.events[-1].line
        return last if isinstance(last, EndLine) else None

    @property
    def agent(self) -> int | None:
        """Its index if it is an agent."""
        return agent_of(self.process)


def trace_files(folder: Path, processes: str = "*") -> list[Path]:
    """Return the files of a trace, in the order of their names; whatever else is there is none of them.

    Parameters
    ----------
    folder : Path
        Where they are.
    processes : str
        Pattern of the names of those whose files they are.
    """
    found = sorted(folder.glob(f"{processes}.jsonl"))
    return [path for path in found if _NAME.fullmatch(path.name) is not None]


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


def lengths(folder: Path) -> dict[str, int]:
    """Return how long each file of a trace is now; another answer later says that it is still being written.

    While it is, what is read of one file may have been received from what was not yet in another.
    """
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}


def _read_life(path: Path, process: str, life: int) -> Life:
    try:
        content = read_bytes(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    whole, _, torn = content.rpartition(b"\n")
    events: list[TraceEvent] = []
    head: str = GENESIS
    for number, raw in enumerate(whole.split(b"\n") if whole else []):
        where = f"{path.name}:{number + 1}"
        chain = _CHAIN.search(raw)
        if chain is None:
            raise Violation(f"{where} is no line of a trace")
        text = raw[: chain.start()]
        if chained(head, text) != chain[1].decode():
            raise Violation(
                f"{where} does not follow from the line before: a line was changed, moved or removed"
            )
        head = chain[1].decode()
        try:
            line = decode_line(text)
        except (ValueError, RecursionError) as error:
            raise Violation(f"{where} is no event of a trace: {error!s:.300}") from None
        if line.number != number:
            raise Violation(f"{where} has number {line.number}, expected {number}")
        if events and isinstance(events[-1].line, EndLine):
            raise Violation(f"{where} comes after the end of its process", events[-1])
        events.append(TraceEvent(process, life, line))
    if not events:
        raise Violation(f"{path.name} is empty")
    if torn and isinstance(events[-1].line, EndLine):
        raise Violation(f"{path.name} goes on after its end")
    first = events[0].line
    if not isinstance(first, StartLine) or (first.process, first.life) != (process, life):
        raise Violation(f"{path.name} does not begin with the start of {process}, life {life}", events[0])
    return Life(process, life, tuple(events), head, bool(torn))
