"""One link: sequence numbers, acknowledgements, gaps and retransmission between two processes.

A link carries messages both ways. Each direction numbers its messages from 1. The receiver delivers the
expected number, drops lower ones (and owes the sender another acknowledgement) and holds higher ones until
the gap is filled. The sender keeps what is not acknowledged, in a bounded window, and sends it again when it
is overdue or asked for. Both keep a bounded number of messages, and of bytes. The link knows no clock: time
is an argument.
"""

from collections.abc import Collection

from msgspec import Struct

from bnpg_protocol.wire.errors import OrderViolation, WindowFull
from bnpg_protocol.wire.messages import Message
from bnpg_protocol.wire.weight import HELD_BYTES, WINDOW_BYTES, weight

WINDOW = 1024
"""Messages a sender keeps unacknowledged, and a receiver ahead of a gap, at the most."""
PATIENCE = 0.25
"""Seconds until a message that is not acknowledged is sent again; doubled at each try."""
LONGEST_PATIENCE = 4.0
ACKNOWLEDGE_AFTER = 0.05
"""Seconds an acknowledgement may wait for a message to ride on."""
ACKNOWLEDGE_EVERY = 64
"""Messages after which an acknowledgement waits no longer."""


class _Unacknowledged(Struct, gc=False):
    message: Message
    lamport: int
    due: float
    weight: int
    patience: float = PATIENCE


class Receipt(Struct, gc=False):
    """What came of one arrival."""

    delivered: list[tuple[int, int, Message]] = []
    """(seq, lamport, message), in order."""
    duplicate: bool = False
    acknowledge: bool = False
    """Whether the acknowledgement can wait no longer for a message to ride on."""
    gap: tuple[int, int] | None = None
    """The messages that are missing now, first and last, if this arrival showed a new gap."""


_latest: tuple[Message, int] | None = None


def _weight_of_sent(message: Message) -> int:
    """Return the weight of a message, which a broadcast has on every link: the last one is remembered.

    Of what comes in nothing is remembered, since a peer could make this process keep it.
    """
    global _latest  # noqa: PLW0603 - a cache of one entry
    if _latest is None or _latest[0] is not message:
        _latest = (message, weight(message))
    return _latest[1]


class Link:
    """Both directions between this process and one peer, in one epoch."""

    __slots__ = (
        "_gap_told",
        "_held",
        "_held_bytes",
        "_kept_bytes",
        "_oldest_due",
        "_window",
        "acknowledge_by",
        "expected",
        "next_seq",
        "owed",
        "unacknowledged",
    )

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._held: dict[int, tuple[int, Message]] = {}
        self._held_bytes = 0
        self._kept_bytes = 0
        self._gap_told = 0
        self._oldest_due: float | None = None
        """When the first of what is not acknowledged is due; not known while None and there is something."""
        self.next_seq = 1
        self.unacknowledged: dict[int, _Unacknowledged] = {}
        self.expected = 1
        self.owed = 0
        """Arrivals since the last acknowledgement went out."""
        self.acknowledge_by: float | None = None

    def send(self, message: Message, lamport: int, now: float, last: bool = False) -> int:
        """Number a message and keep it until it is acknowledged; the last of all has room in any case.

        Raises
        ------
        WindowFull
            If the window of unacknowledged messages is full, in number or in bytes.
        """
        if len(self.unacknowledged) >= self._window and not last:
            raise WindowFull(f"{self._window} messages are unacknowledged")
        size = _weight_of_sent(message)
        if self.unacknowledged and self._kept_bytes + size > WINDOW_BYTES and not last:
            raise WindowFull(f"{self._kept_bytes} bytes are unacknowledged")
        self._kept_bytes += size
        seq = self.next_seq
        self.next_seq = seq + 1
        due = now + PATIENCE
        if not self.unacknowledged or (self._oldest_due is not None and due < self._oldest_due):
            self._oldest_due = due
        self.unacknowledged[seq] = _Unacknowledged(message, lamport, due, size)
        return seq

    def unsend(self, seqs: Collection[int]) -> list[tuple[int, int, Message]]:
        """Take back the latest messages, as far as they are among these: they never left.

        Returns
        -------
        list of (seq, lamport, message)
            Which they were, the latest first.
        """
        taken = []
        while self.next_seq - 1 in seqs and self.next_seq - 1 in self.unacknowledged:
            self.next_seq -= 1
            message = self.unacknowledged.pop(self.next_seq)
            self._oldest_due = None
            self._kept_bytes -= message.weight
            taken.append((self.next_seq, message.lamport, message.message))
        return taken

    def acknowledged(self, ack: int) -> None:
        """Forget what the peer has received.

        Raises
        ------
        OrderViolation
            If the peer acknowledges what was never sent.
        """
        if ack >= self.next_seq:
            raise OrderViolation(f"message {ack} is acknowledged, but only {self.next_seq - 1} were sent")
        unacknowledged = self.unacknowledged
        while unacknowledged:
            oldest = next(iter(unacknowledged))
            if oldest > ack:
                break
            self._kept_bytes -= unacknowledged.pop(oldest).weight
            self._oldest_due = None

    def receive(self, seq: int, lamport: int, message: Message, now: float) -> Receipt:
        """Take in one arrival.

        Raises
        ------
        OrderViolation
            If the message lies further ahead of a gap than the window allows, in number or in bytes. It is
            not lost by that: its sender keeps it until it is acknowledged.
        """
        self.owed += 1
        if self.acknowledge_by is None:
            self.acknowledge_by = now + ACKNOWLEDGE_AFTER
        if seq < self.expected or seq in self._held:
            return Receipt(duplicate=True, acknowledge=True)
        if seq == self.expected:
            receipt = Receipt([(seq, lamport, message)], acknowledge=self.owed >= ACKNOWLEDGE_EVERY)
            self.expected += 1
            while self._held and self.expected in self._held:
                held = self._held.pop(self.expected)
                self._held_bytes -= weight(held[1])
                receipt.delivered.append((self.expected, *held))
                self.expected += 1
            return receipt
        if seq - self.expected > self._window:
            raise OrderViolation(
                f"message {seq} came while {self.expected} is awaited: over the window of {self._window}"
            )
        size = weight(message)
        if self._held and self._held_bytes + size > HELD_BYTES:
            raise OrderViolation(
                f"message {seq} came while {self.expected} is awaited: {self._held_bytes} bytes wait already"
            )
        self._held_bytes += size
        self._held[seq] = (lamport, message)
        if self._gap_told == self.expected:
            return Receipt()
        self._gap_told = self.expected
        return Receipt(gap=(self.expected, min(self._held) - 1))

    def again(self, first: int, last: int, now: float) -> list[tuple[int, int, Message]]:
        """Return what a peer misses, (seq, lamport, message), as far as it is still unacknowledged."""
        missing = []
        for seq, kept in self.unacknowledged.items():  # a peer may ask for all that was ever sent
            if first <= seq <= last:
                kept.due = now + kept.patience
                self._oldest_due = None
                missing.append((seq, kept.lamport, kept.message))
        return missing

    def overdue(self, now: float) -> list[tuple[int, int, Message]]:
        """Return what must be sent again by now, (seq, lamport, message), and be more patient with it."""
        if not self.unacknowledged or self._due() > now:
            return []
        self._oldest_due = None
        late = []
        for seq, kept in self.unacknowledged.items():
            if kept.due <= now:
                kept.patience = min(2 * kept.patience, LONGEST_PATIENCE)
                kept.due = now + kept.patience
                late.append((seq, kept.lamport, kept.message))
        return late

    def acknowledge(self) -> int:
        """Return what is to be acknowledged: everything up to here was received, and nothing is owed now."""
        self.owed = 0
        self.acknowledge_by = None
        return self.expected - 1

    def next_event(self) -> float | None:
        """Return when this link wants to be looked at again, or None."""
        if not self.unacknowledged:
            return self.acknowledge_by
        due, acknowledge_by = self._due(), self.acknowledge_by
        return due if acknowledge_by is None or due < acknowledge_by else acknowledge_by

    def _due(self) -> float:
        """Return when the first of what is not acknowledged, of which there is some, must be sent again."""
        if self._oldest_due is None:
            self._oldest_due = min(kept.due for kept in self.unacknowledged.values())
        return self._oldest_due
