"""One end of a link, under the control of a test.

A channel numbers what it sends, repeats what is not acknowledged while the test waits for something,
delivers what comes in once and in order, and acknowledges it at once. It keeps to the protocol unless the
test tells it not to: every field of an envelope can be given.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from bnpg_protocol.wire.codec import Frame, encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import (
    Acknowledgement,
    Beacon,
    CheckpointsRequested,
    GapFound,
    Hello,
    Message,
)

REPEAT_AFTER = 0.3
"""Seconds a channel waits before it repeats what is not acknowledged."""
PATIENCE = 20.0
"""Seconds a channel waits for a message at the most."""

Kind = TypeVar("Kind", bound=Message)
_BACKGROUND = (Acknowledgement, Beacon, GapFound)
_REPEATED = (*_BACKGROUND, Hello, CheckpointsRequested)


class Channel:
    """A link between a fake process and a real one.

    Parameters
    ----------
    me, peer : int
        Addresses of the two ends.
    incarnation : int
        Start count of the fake process.
    run : str
        Identity of the run, once it is known.
    put
        Sends frames to the peer.
    """

    def __init__(
        self,
        me: int,
        peer: int,
        incarnation: int,
        run: str,
        put: Callable[[list[Frame]], Awaitable[None]],
    ) -> None:
        self.me = me
        self.peer = peer
        self.incarnation = incarnation
        self.run = run
        self.generation = 1
        self.epoch = 0
        self.arrivals: list[Envelope] = []
        """Everything that came in, as it came."""
        self._put = put
        self._sent = 0
        self._unacknowledged: dict[int, list[Frame]] = {}
        self._expected = 1
        self._held: dict[int, Message] = {}
        self._inbox: list[Message] = []
        self._news = asyncio.Event()

    def enter(self, epoch: int) -> None:
        """Begin an epoch: numbers start again from 1."""
        self.epoch = epoch
        self._sent = 0
        self._unacknowledged.clear()
        self._expected = 1
        self._held.clear()

    def number(self) -> int:
        """Take the next number of this link, for a message that is sent later."""
        self._sent += 1
        return self._sent

    async def send(self, message: Message, **fields: Any) -> Envelope:
        """Send a message; any field of the envelope can be given, `seq` for example."""
        ordered = type(message).sequenced
        envelope: dict[str, Any] = {
            "run": self.run,
            "generation": self.generation,
            "epoch": self.epoch if ordered or isinstance(message, _BACKGROUND) else 0,
            "sender": self.me,
            "incarnation": self.incarnation,
            "ack": self._expected - 1 if ordered else 0,
            "lamport": 0,
            "message": message,
        } | fields
        if "seq" not in envelope:
            envelope["seq"] = self.number() if ordered else 0
        sent = Envelope(**envelope)
        frames = encode(sent)
        if sent.seq and not fields.keys() - {"seq"}:
            self._unacknowledged[sent.seq] = frames
        await self._put(frames)
        return sent

    async def send_frames(self, frames: list[Frame]) -> None:
        """Send bytes, whatever they are."""
        await self._put(frames)

    async def expect(self, kind: type[Kind], patience: float = PATIENCE) -> Kind:
        """Return the next message, which must be of this kind; beacons and the like are passed over."""
        message = await self.next(patience, tuple(one for one in _REPEATED if one is not kind))
        assert isinstance(message, kind), f"expected {kind.__name__}, got {message}"
        return message

    async def find(self, kind: type[Kind], patience: float = PATIENCE) -> Kind:
        """Return the next message of a kind, passing over all others."""
        while True:
            message = await self.next(patience)
            if isinstance(message, kind):
                return message

    async def next(self, patience: float = PATIENCE, passing_over: tuple[type[Message], ...] = ()) -> Message:
        """Return the next message."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    while self._inbox:
                        message = self._inbox.pop(0)
                        if not isinstance(message, passing_over):
                            return message
                    self._news.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), REPEAT_AFTER)
                        continue
                    for frames in list(self._unacknowledged.values()):
                        await self._put(frames)
        except TimeoutError:
            kinds = [type(envelope.message).__name__ for envelope in self.arrivals[-5:]]
            raise AssertionError(
                f"nothing awaited came in {patience:g} s; the last arrivals: {kinds}"
            ) from None

    async def arrived(self, envelope: Envelope) -> None:
        """Take in what the fake process received on this link."""
        self.arrivals.append(envelope)
        if envelope.epoch == self.epoch:
            for seq in [seq for seq in self._unacknowledged if seq <= envelope.ack]:
                del self._unacknowledged[seq]
        if not envelope.seq:
            self._inbox.append(envelope.message)
        elif envelope.epoch == self.epoch or self._enters(envelope):
            if envelope.seq >= self._expected:
                self._held.setdefault(envelope.seq, envelope.message)
            while self._expected in self._held:
                self._inbox.append(self._held.pop(self._expected))
                self._expected += 1
            await self.send(Acknowledgement(), ack=self._expected - 1)
        self._news.set()

    def _enters(self, envelope: Envelope) -> bool:
        """Follow the peer into a newer epoch."""
        if envelope.epoch < self.epoch:
            return False
        self.generation = envelope.generation
        self.enter(envelope.epoch)
        return True
