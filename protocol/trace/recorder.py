"""Writing a trace: one file a process life, one JSON line an event, every line chained to the one before.

A line holds `n`, its number from 0; `t`, Unix seconds; `lamport`, the Lamport time of the process; the event;
and last `h`, the 16 hexadecimal digits of BLAKE2s over the `h` of the line before and the text of this line
up to there. Taking a line away, doubling, moving or changing it breaks the chain, or the numbers, or both.

Lines are handed to the kernel before the effects of the same turn are carried out: whoever has received a
message can rely on its sender's file saying so, even if the sender was killed the moment after.
"""

import time
from collections.abc import Callable
from hashlib import blake2s
from io import RawIOBase
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from protocol.addresses import COORDINATOR, UNASSIGNED
from protocol.errors import StorageFailed
from protocol.messages import Message
from protocol.trace.events import (
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

GENESIS = "0" * 16
"""What the first line is chained to."""


def payload(message: Message) -> str:
    """Return a digest of all a message says: CRC-32 over its fields, arrays by their bytes."""
    value = 0
    for field in message.__struct_fields__:
        said = getattr(message, field)
        if isinstance(said, np.ndarray):
            value = crc32(f"{said.dtype.str}{said.shape}".encode(), value)
            array = said if said.flags.c_contiguous else np.ascontiguousarray(said)
            value = crc32(array.data, value)
        else:
            value = crc32(repr(said).encode(), value)
    return f"{value:08x}"


def chained(previous: str, text: bytes) -> str:
    """Return the chain hash of a line, from that of the line before and its own text."""
    return blake2s(previous.encode() + text, digest_size=8).hexdigest()


def steady_clock() -> Callable[[], float]:
    """Return a clock of Unix seconds that never goes back, whatever is done to the clock of the machine."""
    since = time.time() - time.monotonic()
    return lambda: since + time.monotonic()


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
        Unix seconds; never goes back. `steady_clock()` if left out.
    """

    def __init__(self, folder: Path, life: int, clock: Callable[[], float] | None = None) -> None:
        self._folder = folder
        self._life = life
        self._file: RawIOBase | None = None
        self._path = folder
        self._clock = clock or steady_clock()
        self._waiting: list[bytes] = []
        self._failed = False
        self._number = 0
        self._head = GENESIS
        self._lamport = 0
        self._at = '"g":0,"e":0'
        self._described: tuple[Message | None, str, str] = (None, "", "")
        self._names = {COORDINATOR: "coordinator", UNASSIGNED: "agent"}

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        # A message is the frequent case, and so is written by hand; its text is that of `write`.
        if type(event) is Passage:
            self._lamport = event.clock
            if self._number:
                kind, said = self._describe(event.message)
                sent = f'"sent":{event.lamport},' if event.direction != "send" else ""
                self._line(
                    f'"k":"{event.direction}","peer":"{self._name(event.peer)}",{self._at},"seq":{event.seq},'
                    f'{sent}"kind":"{kind}",{said}'
                )
        elif type(event) is Acted:
            self._line(f'"k":"act",{self._at},{self._describe(event.message)[1]}')
        else:
            self._rare(event)

    def flush(self) -> None:
        """Hand the new lines to the kernel.

        Raises
        ------
        StorageFailed
            If they cannot be written; told once. The lines are kept and tried again with those to come.
        """
        if not self._waiting:
            return
        content = b"".join(self._waiting)
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("xb", buffering=0)
            while content:
                content = content[self._file.write(content) or 0 :]
            self._waiting.clear()
        except OSError as error:
            self._waiting = [content]
            if not self._failed:
                self._failed = True
                raise StorageFailed(f"cannot write {self._path}: {error.strerror}") from None

    def close(self, code: int, why: str) -> None:
        """Write that the process ends by itself, and close the file."""
        if self._number:
            self(Ended(code, why))
        self.abandon()

    def abandon(self) -> None:
        """Close the file of a process that was killed: what it had recorded stays, nothing is added."""
        try:
            self.flush()
        finally:
            if self._file is not None:
                self._file.close()

    def _rare(self, event: Event) -> None:
        match event:
            case Applied():
                _, said = self._describe(event.signal)
                digests = f'"before":"{event.before}","after":"{event.after}"'
                self._line(f'"k":"apply",{self._at},{said},{digests}')
            case Kept():
                self._line(f'"k":"kept",{self._at},"r":{event.round},"after":"{event.after}"')
            case Begun():
                self._line(f'"k":"begin",{self._at},"r":{event.round}')
            case Entered():
                self._at = f'"g":{event.generation},"e":{event.epoch}'
                lives = {self._name(peer): life for peer, life in sorted(event.neighbours.items())}
                self._line(f'"k":"epoch",{self._at},"neighbours":{_json(lives)}')
            case Started():
                process = self._name(event.facts.get("agent", COORDINATOR))
                self._path = self._folder / f"{process}.{self._life}.jsonl"
                facts = {"version": 1, "process": process, "life": self._life} | event.facts
                self._line(f'"k":"start",{_json(facts)[1:-1]}')
            case Joined():
                who = f'"agent":{event.agent},"life":{event.incarnation},"held":{_json(event.held)}'
                self._line(f'"k":"join",{who}')
            case Concluded():
                how = f'"state":"{event.state}","rounds":{event.rounds},"absent":{_json(event.absent)}'
                self._line(f'"k":"conclude",{how}')
            case Ended():
                self._line(f'"k":"end","code":{event.code},"why":{_json(event.why)}')

    def _line(self, said: str) -> None:
        text = f'{{"n":{self._number},"t":{self._clock():.6f},"lamport":{self._lamport},{said}'.encode()
        self._head = chained(self._head, text)
        self._waiting.append(b'%b,"h":"%b"}\n' % (text, self._head.encode()))
        self._number += 1

    def _describe(self, message: Message) -> tuple[str, str]:
        # A broadcast is one message sent to many, and an action is drawn, then sent: digest it once.
        known, kind, said = self._described
        if known is not message:
            kind = type(message).__name__
            round_, step = getattr(message, "round", "null"), getattr(message, "step", "null")
            said = f'"r":{round_},"s":{step},"p":"{payload(message)}"'
            self._described = (message, kind, said)
        return kind, said

    def _name(self, peer: int) -> str:
        name = self._names.get(peer)
        if name is None:
            name = self._names[peer] = f"agent-{peer}"
        return name


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
