"""Writing a trace: one file a process life, one JSON line an event, every line chained to the one before.

What a line says is declared in :mod:`bnpg_protocol.process.trace_line`. Its last field is `h`, the 16
hexadecimal digits of BLAKE2s over the `h` of the line before and the text of this line up to there. Taking a
line away, doubling, moving or changing it breaks the chain, or the numbers, or both.

Lines are handed to the kernel before the effects of the same turn are carried out: whoever has received a
message can rely on its sender's file saying so, even if the sender was killed the moment after.
"""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2s
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
from isal.isal_zlib import crc32
from msgspec import structs
from numpy.typing import NDArray

from bnpg_files.reading import opened
from bnpg_protocol.process import trace_line
from bnpg_protocol.process.descriptors import patiently
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import make_folder
from bnpg_protocol.wire.addresses import COORDINATOR, process_name
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.events import (
    Acted,
    Applied,
    Begun,
    Concluded,
    Ended,
    Entered,
    Event,
    Joined,
    Kept,
    Passage,
    Started,
)
from bnpg_protocol.wire.messages import Message, SignalApplied

_Digested = tuple[int | None, int | None, str]
"""Round, turn and payload of a message."""
_LINES: dict[str, type[trace_line.ReceiveLine | trace_line.UnsendLine | trace_line.BareLine]] = {
    "receive": trace_line.ReceiveLine,
    "unsend": trace_line.UnsendLine,
    "bare": trace_line.BareLine,
}
_WRITABLE = 0o222
GENESIS = "0" * 16
"""What the first line is chained to."""


def payload(message: Message) -> str:
    """Return a digest of all a message says: CRC-32 over its fields, arrays by type, shape and bytes."""
    parts = []
    for field in message.__struct_fields__:
        value = getattr(message, field)
        if type(value) is np.ndarray:
            parts += [f"{value.dtype.kind}{value.itemsize}{value.shape}".encode(), value.tobytes()]
        else:
            parts.append(repr(value).encode())
    return f"{crc32(b''.join(parts)):08x}"


def row_payload(actions: "NDArray[np.integer[Any]]") -> str:
    """Return a digest of an agent's actions in a turn, whatever type they have: CRC-32 of their text."""
    return f"{crc32(repr(actions.tolist()).encode()):08x}"


def chained(previous: str, text: bytes) -> str:
    """Return the chain hash of a line, from that of the line before and its own text."""
    return blake2s(previous.encode() + text, digest_size=8).hexdigest()


class TraceRecorder:
    """The trace file of one process life.

    Parameters
    ----------
    folder : Path
        The trace folder of the run; made, with the file, when there is something to write.
    life : int
        Generation or incarnation of the process. Its name follows from the event `Started`; what an agent
        says before, to ask for an id, is only counted.
    clock
        Unix seconds; never goes back. That of the machine if left out.
    fence : Fence, optional
        Of the run folder, if that is where the trace is kept.
    """

    def __init__(
        self,
        folder: Path,
        life: int,
        clock: Callable[[], float] | None = None,
        fence: Fence | None = None,
    ) -> None:
        self._fence = fence
        self._folder = folder
        self.life = life
        """May become a later one as long as nothing is written."""
        self._file: RawIOBase | None = None
        self._path = folder
        self._clock = clock or time.monotonic
        # Counted from one reading of it, the clock never goes back, whatever is done to that of the machine.
        self._since = 0.0 if clock else time.time() - time.monotonic()
        self._events: list[tuple[float, Event]] = []
        self._waiting = b""
        self._failed = False
        self._number = 0
        self._head = GENESIS
        self._lamport = 0
        self._epoch = (0, 0)
        self._described: tuple[Message | None, _Digested] = (None, (None, None, ""))
        self._names: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        """Take in one event; it is written with the next `flush`."""
        # All events of a turn are made lines at once: that is several times as fast as one by one.
        self._events.append((self._clock(), event))

    def flush(self) -> None:
        """Hand the new lines to the kernel.

        Raises
        ------
        StorageFailed
            If they cannot be written; raised once. The lines are kept and tried again with those to come.
        """
        if self._events:
            events, self._events = self._events, []
            self._waiting += b"".join([self._text(self._line(*moment)) for moment in self._known(events)])
        if not self._waiting:
            return
        try:
            if self._file is None:
                make_folder(self._folder, False, self._fence)
                self._file = patiently(self._begun)
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) or 0 :]
        except OSError as error:
            if not self._failed:
                self._failed = True
                raise StorageFailed(f"cannot write {self._path}: {error.strerror}") from None

    def _begun(self) -> RawIOBase:
        """Return the file of this life, which nobody has written before.

        In a run folder it gets its name when the first lines are in it: no death leaves it empty.
        """
        if self._fence is None:
            return self._path.open("xb", buffering=0)
        if self._path.exists():
            raise FileExistsError(0, "there is one of this life already")
        draft = self._fence.draft(self._path.name)
        file = open(draft, "wb", buffering=0)  # noqa: SIM115
        try:
            first = self._waiting
            while first:
                first = first[file.write(first) or 0 :]
            os.rename(draft, self._path)
        except BaseException:
            file.close()
            with suppress(OSError):
                os.unlink(draft)
            raise
        self._waiting = b""
        return file

    def close(self, code: int, why: str) -> None:
        """Write that the process ends by itself, and close the file."""
        self(Ended(code, why))
        self.abandon()

    def abandon(self) -> None:
        """Close the file of a process that was killed: what it had recorded stays, nothing is added."""
        try:
            self.flush()
        finally:
            if self._file is not None:
                self._file.close()

    def _known(self, events: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
        """Leave out what an agent says before it knows who it is; only its Lamport time is kept."""
        if self._number:
            return events
        for place, (_, event) in enumerate(events):
            if type(event) is Started:
                return events[place:]
            if type(event) is Passage:
                self._lamport = event.clock
        return []

    def _line(self, time: float, event: Event) -> trace_line.TraceLine:
        """Return the line of an event."""
        if type(event) is Passage:  # the frequent case
            self._lamport = event.clock
        elif type(event) is Entered:
            self._epoch = (event.generation, event.epoch)
        at = (self._number, self._since + time, self._lamport)
        self._number += 1
        if type(event) is Passage:
            message = event.message
            kind = type(message).__name__
            what = (*at, *self._epoch, self._name(event.peer), event.seq, kind, *self._digested(message))
            if event.direction != "send":
                return _LINES[event.direction](*what, event.lamport)
            if type(message) is SignalApplied and message.table.size:
                return trace_line.SendLine(*what, after=message.digest)
            return trace_line.SendLine(*what)
        match event:
            case Acted():
                digest, rows = self._digested(event.message)[2], event.rows
                line = trace_line.ActLine(*at, *self._epoch, event.round, event.turn, digest)
                if rows is None:
                    return line
                known = {agent: row_payload(row) for agent, row in sorted(rows.items())}
                return structs.replace(line, rows=known)
            case Applied():
                digest = self._digested(event.signal)[2]
                return trace_line.ApplyLine(
                    *at, *self._epoch, event.round, None, digest, event.before, event.after
                )
            case Kept():
                return trace_line.KeptLine(*at, *self._epoch, event.round, event.after)
            case Begun():
                return trace_line.BeginLine(*at, *self._epoch, event.round)
            case Entered():
                lives = {self._name(peer): life for peer, life in sorted(event.neighbours.items())}
                return trace_line.EpochLine(*at, *self._epoch, lives)
            case Started():
                process = self._name(event.facts.get("agent", COORDINATOR))
                self._path = self._folder / f"{process}.{self.life}.jsonl"
                return trace_line.StartLine(*at, 1, process, self.life, **event.facts)
            case Joined():
                return trace_line.JoinLine(*at, event.agent, event.incarnation, event.held)
            case Concluded():
                return trace_line.ConcludeLine(*at, event.state, event.rounds, event.absent)
            case Ended():
                return trace_line.EndLine(*at, event.code, event.why)
            case _:
                raise AssertionError(event)

    def _text(self, line: trace_line.TraceLine) -> bytes:
        text = trace_line.encode_line(line)
        self._head = chained(self._head, text)
        return b'%b,"h":"%b"}\n' % (text, self._head.encode())

    def _digested(self, message: Message) -> _Digested:
        # A broadcast is one message sent to many, and an action is drawn, then sent: digest it once.
        known, content = self._described
        if known is not message:
            content = (getattr(message, "round", None), getattr(message, "turn", None), payload(message))
            self._described = (message, content)
        return content

    def _name(self, peer: int) -> str:
        name = self._names.get(peer)
        if name is None:
            name = self._names[peer] = process_name(peer)
        return name


def seal(folder: Path, fence: Fence) -> None:
    """Let nobody go on with the files that are in a trace: lives that may still be there are over.

    Each becomes a copy that cannot be written, once; who has the old one open goes on with a file without a
    name.

    Raises
    ------
    StorageFailed
        If that cannot be done.
    """
    path = folder
    try:
        for path in sorted(folder.glob("*.jsonl")):
            if path.stat().st_mode & _WRITABLE:
                draft = fence.draft(path.name)
                with opened(path) as source, open(draft, "wb") as target:
                    shutil.copyfileobj(source, target)
                os.chmod(draft, path.stat().st_mode & ~_WRITABLE)
                os.replace(draft, path)
    except OSError as error:
        raise StorageFailed(f"cannot seal {path} of the trace: {error.strerror or error}") from None
