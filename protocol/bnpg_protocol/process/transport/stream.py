"""One connection of the Unix transport: frames over a stream socket, without a thread in between.

A message is the number of its frames, the length of each (both 4 bytes, little-endian), and the frames. The
first message of a connection is its greeting: one frame, `GREETING` and the name of who connects.

Small messages are taken out of one buffer that all connections share for reading; a long frame is received
into memory of its own, which is aligned and belongs to the array that is made of it. What the kernel does not
take at once is queued, within bounds: a full queue is a message lost, as everywhere here, and the links send
it again.
"""

import socket
from collections import deque
from struct import Struct as Layout

import numpy as np

from bnpg_protocol.wire.codec import Frame

GREETING = b"bnpg unix 1\n"
"""What every connection begins with; another number is another way of cutting the stream."""
HIGH_WATER = 4096
"""Messages a connection queues before it is full."""
QUEUED_BYTES = 256 * 1024 * 1024
"""Bytes a connection queues before it is full; a single message may always be queued."""
MOST_FRAMES = 16
"""Frames a message may have: more than any kind of message has arrays."""
LONG = 32 * 1024
"""Bytes from which a frame is received into memory of its own."""
TOGETHER = 64
"""Pieces that are written together at the most."""
READ = 256 * 1024
"""Bytes read at once."""

ON_THE_WAY = 4 * 1024 * 1024
"""Bytes the kernel is asked to take of what the receiver has not read, so that a long frame wakes both ends
seldom; it grants `net.core.wmem_max` at the most, and twice of either for its own accounts."""

_WORD = Layout("<I")
_ONE_FRAME = Layout("<II")


class BrokenStream(Exception):
    """The connection is of no use any more: the stream ended."""


class NoMessages(BrokenStream):
    """What comes cannot be cut into messages; `before` are those that came before it."""

    def __init__(self, why: str, before: "list[list[Frame]]") -> None:
        super().__init__(why)
        self.before = before


class StreamConnection:
    """A connected socket, and what is under way on it in both directions.

    Parameters
    ----------
    sock : socket
        Connected, or about to be; it does not block.
    largest : int
        Bytes a frame that comes in may have.
    """

    def __init__(self, sock: socket.socket, largest: int) -> None:
        self.socket = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ON_THE_WAY)
        self.largest = largest
        self.name = ""
        """Who connected, once the greeting said so; empty on connections of our own."""
        self._held: list[Frame] = []
        # Of messages that another one follows at once, with which they are written.
        self._outgoing: deque[Frame] = deque()
        self._ends: deque[int] = deque()
        # How many pieces of `_outgoing` each queued message has left.
        self._queued = 0
        self._kept = b""
        # The beginning of a message that has not come whole.
        self._message: list[Frame] = []
        self._lengths: tuple[int, ...] = ()
        self._into: memoryview | None = None
        self._filled = 0

    @property
    def waiting(self) -> bool:
        """Whether something is queued that the kernel has not taken."""
        return bool(self._outgoing)

    def send(self, frames: list[Frame], more: bool = False) -> bool:
        """Send a message, or queue it; return False if the queue is full.

        With `more`, another message follows at once, and both are one write: one wake-up of the receiver.

        Raises
        ------
        BrokenStream
            If the other side is gone.
        """
        if len(frames) == 1:
            first = frames[0]
            pieces: list[Frame] = [_ONE_FRAME.pack(1, len(first)) + first]
        else:
            head = b"".join(_WORD.pack(word) for word in (len(frames), *map(len, frames)))
            pieces = [head, *frames]
        size = sum(map(len, pieces))
        if self._outgoing:
            if len(self._ends) >= HIGH_WATER or self._queued + size > QUEUED_BYTES:
                return False
            self.queue(pieces, size)
            return True
        if more and len(self._held) + len(pieces) <= TOGETHER:
            self._held += pieces
            return True
        if self._held:
            pieces = [*self._held, *pieces]
            size = sum(map(len, pieces))
            self._held = []
        sent = self._write(pieces)
        if sent < size:
            self.queue(_after(pieces, sent), size - sent)
        return True

    def flush(self) -> None:
        """Send what is queued, as much as the kernel takes.

        Raises
        ------
        BrokenStream
            If the other side is gone.
        """
        while self._outgoing:
            pieces = [self._outgoing[index] for index in range(min(len(self._outgoing), 64))]
            sent = self._write(pieces)
            self._queued -= sent
            left = _after(pieces, sent)
            for _ in pieces:
                self._outgoing.popleft()
            self._outgoing.extendleft(reversed(left))
            self._retire(len(pieces) - len(left))
            if sent < sum(map(len, pieces)):
                return

    def receive(self, buffer: memoryview) -> list[list[Frame]]:
        """Read once, and return the messages that are whole now.

        Parameters
        ----------
        buffer : memoryview of `READ` bytes
            Where to read to; nothing of it is kept.

        Raises
        ------
        BrokenStream
            If the stream ended, or what came is no message.
        """
        try:
            if self._into is not None:
                return self._go_on(self.socket.recv_into(self._into[self._filled :]))
            size = self.socket.recv_into(buffer)
        except BlockingIOError:
            return []
        except OSError as error:
            raise BrokenStream(error.strerror) from None
        if not size:
            raise BrokenStream("closed")
        data = self._kept + bytes(buffer[:size]) if self._kept else bytes(buffer[:size])
        return self.cut(data)

    def close(self) -> None:
        """Close the socket; what is queued is lost."""
        self.socket.close()
        self._outgoing.clear()
        self._ends.clear()

    def _write(self, pieces: list[Frame]) -> int:
        try:
            if len(pieces) == 1:
                return self.socket.send(pieces[0])
            return self.socket.sendmsg(pieces)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise BrokenStream(error.strerror) from None

    def queue(self, pieces: list[Frame], size: int) -> None:
        """Queue what is left of a message, which has so many bytes."""
        self._outgoing.extend(pieces)
        self._ends.append(len(pieces))
        self._queued += size

    def _retire(self, pieces: int) -> None:
        while pieces:
            if self._ends[0] > pieces:
                self._ends[0] -= pieces
                return
            pieces -= self._ends.popleft()

    def cut(self, data: bytes) -> list[list[Frame]]:
        """Cut what came into messages; keep the beginning of the next one."""
        messages: list[list[Frame]] = []
        start, end = 0, len(data)
        while end - start >= 8:
            count, length = _ONE_FRAME.unpack_from(data, start)
            if count == 1 and start + 8 + length <= end and length <= self.largest and length < LONG:
                messages.append([data[start + 8 : start + 8 + length]])
                start += 8 + length
                continue
            if not 1 <= count <= MOST_FRAMES:
                raise NoMessages(f"a message may have 1 to {MOST_FRAMES} frames, got {count}", messages)
            body = start + 4 + 4 * count
            if body > end:
                break
            lengths = tuple(word for (word,) in _WORD.iter_unpack(data[start + 4 : body]))
            if max(lengths) > self.largest:
                raise NoMessages(f"a frame may have {self.largest} bytes, got {max(lengths)}", messages)
            whole = body + sum(lengths)
            if whole > end and max(lengths) < LONG:
                break
            self._lengths, self._message = lengths, []
            self._begin_frame()
            start = body
            while self._into is not None and start < end:
                taken = min(end - start, len(self._into) - self._filled)
                self._into[self._filled : self._filled + taken] = data[start : start + taken]
                start += taken
                messages += self._go_on(taken)
            if self._into is not None:
                break
        self._kept = data[start:] if start < end else b""
        return messages

    def _begin_frame(self) -> None:
        """Make room for the next frame of a message that is received piece by piece."""
        length = self._lengths[len(self._message)]
        # Aligned for every kind of number; it is not cleared first.
        self._into = np.empty(length, np.uint8).data
        self._filled = 0

    def _go_on(self, size: int) -> list[list[Frame]]:
        """Take note of bytes that were written into a frame of its own."""
        assert self._into is not None
        if not size and len(self._into):
            raise BrokenStream("closed")
        self._filled += size
        while self._into is not None and self._filled == len(self._into):
            self._message.append(self._into)
            if len(self._message) == len(self._lengths):
                message, self._message, self._into = self._message, [], None
                return [message]
            self._begin_frame()
        return []


def _after(pieces: list[Frame], sent: int) -> list[Frame]:
    """Return what is left of pieces of which so many bytes were sent."""
    for index, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[index + 1 :]] if sent else pieces[index:]
        sent -= len(piece)
    return []
