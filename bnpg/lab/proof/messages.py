"""Messages in a trace: Lamport's clock, first in first out, each receive and its send.

A message may rightly stay unreceived in two cases, which are counted as cut off: its epoch was given up,
because a process died or a new coordinator came; or its receiver ended before, because the run was broken off
or, in a run that is done, because the coordinator waited for a farewell no longer, and says whose.

And a message may have been received that its sender could not record any more: the last word, `Finish` or
`Farewell`, of a process whose disk was full. Its trace breaks off there, which is told.
"""

from dataclasses import dataclass

from bnpg_protocol.process.trace_line import (
    BareLine,
    EpochLine,
    LineInEpoch,
    MessageLine,
    ReceiveLine,
    SendLine,
    UnsendLine,
)
from bnpg_protocol.wire.addresses import COORDINATOR, process_name
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.trace.lives import Epoch, Lives
from bnpg.trace.reading import Life, TraceEvent, Violation

BARE = (
    ("Hello", "CheckpointsRequested", "Beacon", "Failed"),
    ("Welcome", "Reject", "Summons", "CheckpointsReturned"),
)
"""Messages outside the order: of an agent, of the coordinator."""
Place = tuple[str, str, Epoch, int]
"""Sender, receiver, epoch and number on the link."""
_HEAD = process_name(COORDINATOR)


Passage = tuple[TraceEvent, SendLine | ReceiveLine]
Log = dict[Place, Passage]
Entered = dict[tuple[str, Epoch], tuple[TraceEvent, dict[str, int]]]
"""By process and epoch: how it was entered, and with which neighbours."""


@dataclass(frozen=True)
class Counts:
    """How many messages there were."""

    received: int
    cut_off: int
    """Sent, but rightly never received."""
    broken_off: tuple[str, ...] = ()
    """Files that end before their processes did, because a disk was full, and after which line."""


def check_clocks(life: Life) -> None:
    """Prove that a process's Lamport time counts its sends, passes what it receives, and else stands still.

    So no event can change places with a message of the same process, nor be left out between two of them.

    Raises
    ------
    Violation
    """
    before = life.events[0]
    for event in life.events[1:]:
        line = event.line
        if line.time < before.line.time:
            raise Violation(f"time goes back in the trace of {life.process}", before, event)
        expected = before.line.lamport
        match line:
            case SendLine() | BareLine():
                expected += 1
            case ReceiveLine(sent=sent):
                expected = max(expected, sent) + 1
        if line.lamport != expected:
            why = f"the Lamport time of {life.process} is {line.lamport}, expected {expected}"
            raise Violation(why, before, event)
        if isinstance(line, BareLine):
            known = line.kind in BARE[life.agent is None] and line.seq == 0
            if not known or line.sent != line.lamport:
                raise Violation(f"{life.process} sends what is no message outside the order", event)
        before = event


def check_messages(run: Lives) -> Counts:
    """Prove that every link of every epoch carried its messages in order, once, and unchanged.

    Raises
    ------
    Violation
    """
    sent: Log = {}
    received: Log = {}
    entered: Entered = {}
    for life in run.all:
        _follow(run, life, sent, received, entered)
    for process, epoch in entered:
        _check_neighbours(process, epoch, entered)
    broken_off = set()
    for place, receive in received.items():
        speaker = _of_last_word(run, place, receive[1], sent, entered)
        if speaker is None:
            _match(sent.get(place), receive)
        else:
            broken_off.add(f"{speaker.process}.{speaker.life}.jsonl:{len(speaker.events)}")
    lost = [place for place in sent if place not in received]
    if run.conclusion is not None and run.conclusion.state == "done":
        _check_nothing_needed(run, lost, sent)
    return Counts(len(received), len(lost), tuple(sorted(broken_off)))


def _follow(
    run: Lives,
    life: Life,
    sent: Log,
    received: Log,
    entered: Entered,
) -> None:
    """Read the messages of a life; their numbers are 1, 2, 3, .. on each link of each epoch."""
    me, epoch = life.process, (0, 0)
    neighbours: dict[str, int] = {}
    for event in life.events:
        line = event.line
        if isinstance(line, LineInEpoch) and not isinstance(line, EpochLine) and event.epoch != epoch:
            raise Violation(f"{me} is in epoch {epoch}, but this belongs to {event.epoch}", event)
        if isinstance(line, EpochLine):
            if event.epoch <= epoch:
                raise Violation("an epoch is entered that is not newer", event)
            epoch, neighbours = event.epoch, line.neighbours
            if entered.setdefault((me, epoch), (event, neighbours))[0] is not event:
                raise Violation(f"{me} enters an epoch in two lives", entered[me, epoch][0], event)
            _check_family(run, life, event, set(neighbours))
        elif isinstance(line, SendLine | ReceiveLine | UnsendLine):
            peer, seq = line.peer, line.seq
            if peer not in neighbours:
                raise Violation(f"{peer} is no neighbour of {me} in this epoch", event)
            if isinstance(line, UnsendLine):
                taken = sent.pop((me, peer, epoch, seq), None)
                if taken is None or (me, peer, epoch, seq + 1) in sent:
                    raise Violation(f"{me} takes back what is not the last message it sent", event)
                continue
            log, place = (sent, (me, peer)) if isinstance(line, SendLine) else (received, (peer, me))
            what = f"a {event.verb} has"
            if seq != 1 and (*place, epoch, seq - 1) not in log:
                raise Violation(f"{what} number {seq} on its link, but there is no {seq - 1}", event)
            known = log.setdefault((*place, epoch, seq), (event, line))[0]
            if known is not event:
                raise Violation(f"{what} the number {seq} of another on its link", known, event)


def _check_family(run: Lives, life: Life, event: TraceEvent, neighbours: set[str]) -> None:
    """A process's neighbours are those of the DAG, or the ends of a relay's links, and the coordinator."""
    if life.agent is None:
        expected = set(run.agent_names)
        if event.epoch[0] != life.life:
            raise Violation("a coordinator forms an epoch of another generation", event)
    else:
        parents, children = run.neighbours(life.agent, event.epoch[0])
        family = [*parents, *children]
        expected = {_HEAD, *(process_name(agent) for agent in family)}
    if neighbours != expected:
        raise Violation(f"{life.process} enters an epoch with other neighbours than the DAG gives it", event)


def _check_neighbours(process: str, epoch: Epoch, entered: Entered) -> None:
    """Two neighbours in an epoch know each other by the lives they are in."""
    event, neighbours = entered[process, epoch]
    for peer, life in neighbours.items():
        if (peer, epoch) not in entered:
            continue
        other, theirs = entered[peer, epoch]
        if other.life != life or theirs.get(process) != event.life:
            raise Violation(f"{process} and {peer} do not mean each other in epoch {epoch}", event, other)
    if process != _HEAD and (_HEAD, epoch) not in entered:
        raise Violation(f"{process} enters an epoch that the coordinator never formed", event)


def _of_last_word(run: Lives, place: Place, line: MessageLine, sent: Log, entered: Entered) -> Life | None:
    """Return the life whose last word this is, if it was said when its trace had broken off already.

    Its disk was full: it has no end in its file, and the coordinator, if it could, recorded that the run
    ended for that reason. What the last lines say was to be sent may have been taken back unrecorded.
    """
    sender, receiver, epoch, seq = place
    if line.kind != ("Finish" if sender == _HEAD else "Farewell"):
        return None
    if place in sent and sent[place][1].kind == line.kind:
        return None
    if (sender, receiver, epoch, seq + 1) in sent or (receiver, epoch) not in entered:
        return None
    number = entered[receiver, epoch][1].get(sender)
    lives = [life for life in run.of(sender) if life.life == number and life.end is None]
    heads = [life for life in run.coordinators if life.life == epoch[0]]
    full = [life for life in heads if life.end is None or life.end.code == ExitCode.STORAGE]
    return lives[0] if lives and full else None


def _match(send: Passage | None, receive: Passage) -> None:
    event, received = receive
    assert isinstance(received, ReceiveLine)
    if send is None:
        raise Violation(f"{event.process} received what {received.peer} never sent", event)
    origin, sent = send
    if sent.lamport != received.sent:
        raise Violation("a message was received with another Lamport time than it was sent at", origin, event)
    for same in ("kind", "round", "turn", "payload"):
        if getattr(sent, same) != getattr(received, same):
            why = f"a message was received with another {same} than it was sent with"
            raise Violation(why, origin, event)


def _check_nothing_needed(run: Lives, lost: list[Place], sent: Log) -> None:
    """In the last epoch of a run that is done only the Finish and Farewell of named agents may be lost."""
    assert run.conclusion is not None
    absent = {process_name(agent) for agent in run.conclusion.absent}
    final = max(epoch for _, _, epoch, _ in sent)
    for place in lost:
        sender, receiver, epoch, _ = place
        event, line = sent[place]
        excused = (line.kind == "Finish" and receiver in absent) or (
            line.kind == "Farewell" and sender in absent
        )
        if epoch == final and not excused:
            raise Violation(f"{receiver} never received what {sender} sent in the last epoch", event)
