"""Writing a trace: one file a process life, one JSON line an event, every line chained to the one before.

A line holds `n`, its number from 0; `t`, Unix seconds; `lamport`, the Lamport time of the process; the event;
and last `h`, the 16 hexadecimal digits of BLAKE2s over the `h` of the line before and the text of this line
up to there. Taking a line away, doubling, moving or changing it breaks the chain, or the numbers, or both.

Lines are handed to the kernel before the effects of the same turn are carried out: whoever has received a
message can rely on its sender's file saying so, even if the sender was killed the moment after.
"""

import os
import shutil
import time
from collections.abc import Callable
from hashlib import blake2s
from io import RawIOBase
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from isal.isal_zlib import crc32

from bnpg_protocol.process.descriptors import patiently
from bnpg_protocol.process.fence import Fence
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
from bnpg_protocol.wire.messages import Message

_WRITABLE = 0o222
GENESIS = "0" * 16
"""What the first line is chained to."""


def payload(message: Message) -> str:
    """Return a digest of all a message says: CRC-32 over its fields, arrays by type, shape and bytes."""
    said = []
    for field in message.__struct_fields__:
        value = getattr(message, field)
        if type(value) is np.ndarray:
            said += [f"{value.dtype.kind}{value.itemsize}{value.shape}".encode(), value.tobytes()]
        else:
            said.append(repr(value).encode())
    return f"{crc32(b''.join(said)):08x}"


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
        self._life = life
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
        self._at = '"g":0,"e":0'
        self._described: tuple[Message | None, str] = (None, "")
        self._names: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        """Take in one event; it is written with the next `flush`."""
        # All events of a turn are put into words at once: that is several times as fast as one by one.
        self._events.append((self._clock(), event))

    def flush(self) -> None:
        """Hand the new lines to the kernel.

        Raises
        ------
        StorageFailed
            If they cannot be written; told once. The lines are kept and tried again with those to come.
        """
        if self._events:
            events, self._events = self._events, []
            self._waiting += b"".join(
                [self._line(time, self._said(event)) for time, event in self._told(events)]
            )
        if not self._waiting:
            return
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = patiently(self._begun)
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) or 0 :]
        except OSError as error:
            if not self._failed:
                self._failed = True
                raise StorageFailed(f"cannot write {self._path}: {error.strerror}") from None

    def _begun(self) -> RawIOBase:
        """Return the file of this life, which nobody has written before."""
        if self._fence is None:
            return self._path.open("xb", buffering=0)
        if self._path.exists():
            raise FileExistsError(0, "there is one of this life already")
        draft = self._fence.draft(self._path.name)
        file = open(draft, "wb", buffering=0)  # noqa: SIM115
        os.rename(draft, self._path)
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

    def _told(self, events: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
        """Leave out what an agent says before it knows who it is; only its Lamport time is kept."""
        if self._number:
            return events
        for place, (_, event) in enumerate(events):
            if type(event) is Started:
                return events[place:]
            if type(event) is Passage:
                self._lamport = event.clock
        return []

    def _said(self, event: Event) -> str:
        """Put an event into words."""
        # A message is the frequent case.
        if type(event) is Passage:
            self._lamport = event.clock
            sent = f'"sent":{event.lamport},' if event.direction != "send" else ""
            return (
                f'"k":"{event.direction}","peer":"{self._name(event.peer)}",{self._at},"seq":{event.seq},'
                f'{sent}"kind":"{type(event.message).__name__}",{self._describe(event.message)}'
            )
        match event:
            case Acted():
                return f'"k":"act",{self._at},{self._describe(event.message)}'
            case Applied():
                digests = f'"before":"{event.before}","after":"{event.after}"'
                return f'"k":"apply",{self._at},{self._describe(event.signal)},{digests}'
            case Kept():
                return f'"k":"kept",{self._at},"r":{event.round},"after":"{event.after}"'
            case Begun():
                return f'"k":"begin",{self._at},"r":{event.round}'
            case Entered():
                self._at = f'"g":{event.generation},"e":{event.epoch}'
                lives = {self._name(peer): life for peer, life in sorted(event.neighbours.items())}
                return f'"k":"epoch",{self._at},"neighbours":{_json(lives)}'
            case Started():
                process = self._name(event.facts.get("agent", COORDINATOR))
                self._path = self._folder / f"{process}.{self._life}.jsonl"
                facts = {"version": 1, "process": process, "life": self._life} | event.facts
                return f'"k":"start",{_json(facts)[1:-1]}'
            case Joined():
                who = f'"agent":{event.agent},"life":{event.incarnation}'
                return f'"k":"join",{who},"held":{_json(event.held)}'
            case Concluded():
                how = f'"state":"{event.state}","rounds":{event.rounds}'
                return f'"k":"conclude",{how},"absent":{_json(event.absent)}'
            case Ended():
                return f'"k":"end","code":{event.code},"why":{_json(event.why)}'
            case _:
                raise AssertionError(event)

    def _line(self, time: float, said: str) -> bytes:
        text = f'{{"n":{self._number},"t":{self._since + time:.6f},"lamport":{self._lamport},{said}'.encode()
        self._head = chained(self._head, text)
        self._number += 1
        return b'%b,"h":"%b"}\n' % (text, self._head.encode())

    def _describe(self, message: Message) -> str:
        # A broadcast is one message sent to many, and an action is drawn, then sent: digest it once.
        known, said = self._described
        if known is not message:
            round_, step = getattr(message, "round", "null"), getattr(message, "step", "null")
            said = f'"r":{round_},"s":{step},"p":"{payload(message)}"'
            self._described = (message, said)
        return said

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
    try:
        for path in sorted(folder.glob("*.jsonl")):
            if path.stat().st_mode & _WRITABLE:
                draft = fence.draft(path.name)
                shutil.copyfile(path, draft)
                os.chmod(draft, path.stat().st_mode & ~_WRITABLE)
                os.replace(draft, path)
    except OSError as error:
        raise StorageFailed(f"cannot seal the trace in {folder}: {error.strerror or error}") from None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
