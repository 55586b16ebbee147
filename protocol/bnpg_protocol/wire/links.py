"""All links of one process: epochs, fencing, acknowledgements that ride along, retransmission.

A process enters an *epoch* with the neighbours that the coordinator's roster names. Every epoch starts with
fresh links, numbered from 1, so that nothing of an earlier epoch can be mistaken for the present:

- an older epoch or generation, or another incarnation of a neighbour: refused, counted by reason;
- a newer epoch than the process has entered: kept (bounded) until it enters;
- the present epoch: through the `Link`, in order and exactly once.
"""

from collections import Counter, deque
from collections.abc import Iterable

from msgspec import Struct

from bnpg_protocol.wire.addresses import name
from bnpg_protocol.wire.effects import Effect, Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import OrderViolation, WindowFull
from bnpg_protocol.wire.events import Entered, Observer, Passage
from bnpg_protocol.wire.link import Link
from bnpg_protocol.wire.messages import LARGEST_COUNT, Acknowledgement, GapFound, Message
from bnpg_protocol.wire.weight import EARLY_BYTES, EARLY_BYTES_OF_ALL, weight

EARLY = 4096
"""Envelopes of a newer epoch that are kept until this process enters it."""


class Neighbour(Struct, frozen=True):
    """One peer of an epoch."""

    incarnation: int
    route: str


class Links:
    """The ends of all links of one process.

    Parameters
    ----------
    me : int
        Address of this process.
    incarnation : int
        Start count of this process.
    run : str
        Identity of the run.
    observer
        Called for every epoch entered, every message first sent, and every message delivered.
    """

    def __init__(self, me: int, incarnation: int, run: str, observer: Observer | None = None) -> None:
        self.me = me
        self.incarnation = incarnation
        self.run = run
        self.generation = 0
        self.epoch = 0
        self.lamport = 0
        self.refused: Counter[str] = Counter()
        """Arrivals that were not let in, by reason."""
        self.delivered = 0
        """Messages passed on in order, each once."""
        self.duplicates = 0
        self.retransmitted = 0
        self._observer = observer
        self._neighbours: dict[int, Neighbour] = {}
        self._links: dict[int, Link] = {}
        self._early: deque[tuple[Envelope, str]] = deque()
        self._early_bytes: Counter[int] = Counter()
        """What is kept of each sender."""

    def enter(
        self, generation: int, epoch: int, neighbours: dict[int, Neighbour]
    ) -> list[tuple[Envelope, str]]:
        """Begin an epoch with fresh links; return what came early for it, to be received again."""
        self.generation = generation
        self.epoch = epoch
        self._neighbours = neighbours
        self._links = {peer: Link() for peer in neighbours}
        if self._observer is not None:
            lives = {peer: neighbour.incarnation for peer, neighbour in neighbours.items()}
            self._observer(Entered(generation, epoch, lives))
        early, self._early = self._early, deque()
        self._early_bytes.clear()
        return list(early)

    def leave(self, generation: int) -> None:
        """Leave the present epoch for good, because a coordinator of this generation will form the next one.

        What is still on its way in the old epoch is stale from now on; what comes early for the next is kept.
        """
        self.generation = max(self.generation, generation)
        self.epoch = 0
        self._neighbours = {}
        self._links = {}

    def send(self, peer: int, message: Message, now: float, last: bool = False) -> Transmit:
        """Send a message in order; the last of all may be one more than the window holds.

        Raises
        ------
        WindowFull
            If the peer acknowledges nothing any more.
        """
        lamport = _after(self.lamport)
        try:
            seq = self._links[peer].send(message, lamport, now, last)
        except WindowFull as error:
            raise WindowFull(f"{name(peer)} acknowledges nothing: {error}") from None
        self.lamport = lamport
        if self._observer is not None:
            self._observer(Passage("send", peer, seq, lamport, message, lamport))
        return self._transmit(peer, seq, lamport, message)

    def unsend(self, effects: Iterable[Effect]) -> None:
        """Take back messages that were to go out behind an effect that could not be carried out.

        Otherwise they would still go out, as retransmissions: a signal whose round was never recorded, or the
        report of an update that was never stored.
        """
        unsent: dict[int, set[int]] = {}
        for effect in effects:
            if isinstance(effect, Transmit) and effect.envelope.seq:
                envelope = effect.envelope
                if (envelope.generation, envelope.epoch) == (self.generation, self.epoch):
                    unsent.setdefault(effect.to, set()).add(envelope.seq)
        for peer, seqs in unsent.items():
            for seq, lamport, message in self._links[peer].unsend(seqs):
                if self._observer is not None:
                    self._observer(Passage("unsend", peer, seq, lamport, message, self.lamport))

    def bare(self, to: int, route: str, message: Message) -> Transmit:
        """Send a message outside the order, to whoever is at the end of a route."""
        self.lamport = _after(self.lamport)
        if self._observer is not None:
            self._observer(Passage("bare", to, 0, self.lamport, message, self.lamport))
        return Transmit(route, self._envelope(0, 0, self.lamport, message), to)

    def receive(self, envelope: Envelope, origin: str, now: float) -> tuple[list[Message], list[Transmit]]:
        """Take in an envelope of this run that belongs to an epoch.

        Returns
        -------
        messages
            What is delivered because of it, in order.
        transmissions
            Requests and retransmissions it calls for.

        Raises
        ------
        OrderViolation
            If a neighbour of the present epoch breaks the rules of its link, or too much comes too early.
        """
        if envelope.epoch != self.epoch or envelope.generation != self.generation:
            if (envelope.generation, envelope.epoch) > (self.generation, self.epoch):
                self._keep(envelope, origin)
            else:
                self.refused["stale epoch"] += 1
            return [], []
        peer = envelope.sender
        neighbour = self._neighbours.get(peer)
        if neighbour is None:
            self.refused["not a neighbour"] += 1
            return [], []
        if neighbour.incarnation != envelope.incarnation:
            self.refused["another incarnation"] += 1
            return [], []
        if neighbour.route != origin:
            self._neighbours[peer] = Neighbour(neighbour.incarnation, origin)
        link = self._links[peer]
        try:
            link.acknowledged(envelope.ack)
            if envelope.seq:
                return self._deliver(peer, link, envelope, now)
        except OrderViolation as error:
            raise OrderViolation(f"{name(peer)}: {error}") from None
        if isinstance(envelope.message, GapFound):
            again = link.again(envelope.message.first, envelope.message.last, now)
            return [], self._retransmit(peer, again)
        return [], []

    def _keep(self, envelope: Envelope, origin: str) -> None:
        """Keep what came early, within bounds; what is not kept its sender sends again.

        Raises
        ------
        OrderViolation
            If too many bytes are kept already, of this sender or of all.
        """
        size, sender = weight(envelope.message), envelope.sender
        of_sender, of_all = self._early_bytes[sender], self._early_bytes.total()
        if of_sender + size > EARLY_BYTES or of_all + size > EARLY_BYTES_OF_ALL:
            self.refused["too much too early"] += 1
            raise OrderViolation(
                f"{name(sender)} sends {size} bytes of an epoch that is not entered yet: {of_sender} of it "
                f"and {of_all} of all are kept already"
            )
        self._early.append((envelope, origin))
        self._early_bytes[sender] += size
        if len(self._early) > EARLY:
            oldest, _ = self._early.popleft()
            self._early_bytes[oldest.sender] -= weight(oldest.message)

    def tick(self, now: float) -> list[Transmit]:
        """Return what is to be sent because time has passed: retransmissions and acknowledgements."""
        due: list[Transmit] = []
        for peer, link in self._links.items():
            due += self._retransmit(peer, link.overdue(now))
            if link.acknowledge_by is not None and link.acknowledge_by <= now:
                due.append(self.acknowledge(peer))
        return due

    def acknowledge(self, peer: int) -> Transmit:
        """Acknowledge everything received from a peer at once, without waiting for a message to ride on."""
        return self._transmit(peer, 0, self.lamport, Acknowledgement())

    def next_event(self) -> float | None:
        """Return when `tick` has something to do, or None."""
        times = (link.next_event() for link in self._links.values())
        return min((time for time in times if time is not None), default=None)

    def unacknowledged_by(self) -> list[int]:
        """Return the peers that have not acknowledged everything."""
        return [peer for peer, link in self._links.items() if link.unacknowledged]

    def _deliver(
        self, peer: int, link: Link, envelope: Envelope, now: float
    ) -> tuple[list[Message], list[Transmit]]:
        receipt = link.receive(envelope.seq, envelope.lamport, envelope.message, now)
        if receipt.duplicate:
            self.duplicates += 1
        self.delivered += len(receipt.delivered)
        messages: list[Message] = []
        for seq, lamport, message in receipt.delivered:
            self.lamport = _after(lamport if lamport > self.lamport else self.lamport)
            messages.append(message)
            if self._observer is not None:
                self._observer(Passage("receive", peer, seq, lamport, message, self.lamport))
        asked = []
        if receipt.gap is not None:
            asked.append(self._transmit(peer, 0, self.lamport, GapFound(*receipt.gap)))
        elif receipt.acknowledge:
            asked.append(self.acknowledge(peer))
        return messages, asked

    def _retransmit(self, peer: int, messages: Iterable[tuple[int, int, Message]]) -> list[Transmit]:
        transmissions = [self._transmit(peer, seq, lamport, message) for seq, lamport, message in messages]
        self.retransmitted += len(transmissions)
        return transmissions

    def _transmit(self, peer: int, seq: int, lamport: int, message: Message) -> Transmit:
        ack = self._links[peer].acknowledge()
        return Transmit(self._neighbours[peer].route, self._envelope(seq, ack, lamport, message), peer)

    def _envelope(self, seq: int, ack: int, lamport: int, message: Message) -> Envelope:
        return Envelope(
            self.run, self.generation, self.epoch, self.me, self.incarnation, seq, ack, lamport, message
        )


def _after(lamport: int) -> int:
    """Return the logical time after another: it stands still at the last that can be written.

    No run comes so far, but a peer may say that it has, and must not make everybody fall silent by it.
    """
    return lamport + 1 if lamport < LARGEST_COUNT else LARGEST_COUNT
