"""Writing a trace: one file a process life, one JSON line an event, every line chained to the one before.

A line holds `n`, its number from 0; `t`, Unix seconds; the event; and last `h`, the 16 hexadecimal digits of
BLAKE2b over the `h` of the line before and the text of this line up to there. Taking a line away, doubling,
moving or changing it breaks the chain, or the numbers, or both.

Lines are handed to the kernel before the effects of the same turn are carried out: whoever has received a
message can rely on its sender's file saying so, even if the sender was killed the moment after.
"""

import time
from collections.abc import Callable
from hashlib import blake2b
from io import RawIOBase
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from protocol.addresses import COORDINATOR
from protocol.errors import StorageFailed
from protocol.messages import Message
from protocol.trace.events import Acted, Applied, Begun, Ended, Entered, Event, Kept, Passage, Started

_encode = msgspec.json.encode
GENESIS = "0" * 16
"""What the first line is chained to."""


def payload(message: Message) -> str:
    """Return a digest of all a message says: CRC-32 over its fields, arrays by their bytes."""
    value = 0
    for field in message.__struct_fields__:
        said = getattr(message, field)
        if isinstance(said, np.ndarray):
            value = crc32(f"{said.dtype.str}{said.shape}".encode(), value)
            value = crc32(np.ascontiguousarray(said).data, value)
        else:
            value = crc32(repr(said).encode(), value)
    return f"{value:08x}"


def chained(previous: str, text: bytes) -> str:
    """Return the chain hash of a line, from that of the line before and its own text."""
    return blake2b(previous.encode() + text, digest_size=8).hexdigest()


class TraceRecorder:
    """The trace file of one process life.

    Parameters
    ----------
    folder : Path
        The trace folder of the run; made, with the file, when there is something to write.
    life : int
        Generation or incarnation of the process. Its name follows from its first event.
    clock
        Unix seconds.
    """

    def __init__(self, folder: Path, life: int, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._life = life
        self._file: RawIOBase | None = None
        self._path = folder
        self._clock = clock
        self._lines: list[bytes] = []
        self._number = 0
        self._head = GENESIS
        self._at: dict[str, int] = {"g": 0, "e": 0}
        self._digested: tuple[Message | None, str] = (None, "")

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case Passage():
                message = event.message
                self.write(
                    {
                        "k": event.direction,
                        "peer": _peer(event.peer),
                        **self._at,
                        "seq": event.seq,
                        "lamport": event.lamport,
                        "kind": type(message).__name__,
                        "r": getattr(message, "round", None),
                        "s": getattr(message, "step", None),
                        "p": self._payload(message),
                    }
                )
            case Acted():
                said = self._payload(event.message)
                self.write({"k": "act", **self._at, "r": event.round, "s": event.step, "p": said})
            case Applied():
                digests = {"before": event.before, "after": event.after, "p": self._payload(event.signal)}
                self.write({"k": "apply", **self._at, "r": event.round, **digests})
            case Kept():
                self.write({"k": "kept", **self._at, "r": event.round, "after": event.after})
            case Begun():
                self.write({"k": "begin", **self._at, "r": event.round})
            case Entered():
                self._at = {"g": event.generation, "e": event.epoch}
                neighbours = {_peer(peer): life for peer, life in sorted(event.neighbours.items())}
                self.write({"k": "epoch", **self._at, "neighbours": neighbours})
            case Started():
                agent = event.facts.get("agent", COORDINATOR)
                self._path = self._folder / f"{_peer(agent)}.{self._life}.jsonl"
                self.write(
                    {"k": "start", "version": 1, "process": _peer(agent), "life": self._life} | event.facts
                )
            case Ended():
                self.write({"k": "end", "code": event.code, "why": event.why})

    def write(self, fields: dict[str, Any]) -> None:
        """Add a line."""
        text = _encode({"n": self._number, "t": round(self._clock(), 6)} | fields)[:-1]
        self._head = chained(self._head, text)
        self._lines.append(b'%b,"h":"%b"}\n' % (text, self._head.encode()))
        self._number += 1

    def flush(self) -> None:
        """Hand the new lines to the kernel.

        Raises
        ------
        StorageFailed
            If they cannot be written.
        """
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("xb", buffering=0)
            self._file.write(b"".join(lines))
        except OSError as error:
            raise StorageFailed(f"cannot write {self._path}: {error.strerror}") from None

    def close(self, code: int, why: str) -> None:
        """Write that the process ends by itself, and close the file."""
        if self._number:
            self(Ended(code, why))
        self.abandon()

    def abandon(self) -> None:
        """Close the file of a process that was killed: what it had recorded stays, nothing is added."""
        self.flush()
        if self._file is not None:
            self._file.close()

    def _payload(self, message: Message) -> str:
        # A broadcast is one message sent to many, and an action is drawn, then sent: digest it once.
        if self._digested[0] is not message:
            self._digested = (message, payload(message))
        return self._digested[1]


def _peer(peer: int) -> str:
    return "coordinator" if peer == COORDINATOR else f"agent-{peer}"
