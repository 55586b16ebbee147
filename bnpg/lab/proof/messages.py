"""Messages in a trace: Lamport's clock, first in first out, each receive and its send.

A message may rightly stay unreceived in two cases, which are counted as cut off: its epoch was given up,
because a process died or a new coordinator came; or its receiver ended before, because the run was broken off
or, in a run that is done, because the coordinator waited for a farewell no longer, and says whose.

And a message may have been received that its sender could not record any more: the last word, `Finish` or
`Farewell`, of a process whose disk was full. Its trace breaks off there, which is told.
"""

from dataclasses import dataclass

from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.trace.lives import Epoch, Lives
from bnpg.trace.reading import Life, TraceEvent, Violation

BARE = (("Hello", "Beacon", "Failed"), ("Welcome", "Reject", "Summons"))
"""Messages outside the order: of an agent, of the coordinator."""
Place = tuple[str, str, Epoch, int]
"""Sender, receiver, epoch and number on the link."""


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
        if event["t"] < before["t"]:
            raise Violation(f"time goes back in the trace of {life.process}", before, event)
        clock = before["lamport"]
        match event.kind:
            case "send" | "bare":
                expected = clock + 1
            case "receive":
                expected = max(clock, event["sent"]) + 1
            case _:
                expected = clock
        if event["lamport"] != expected:
            raise Violation(
                f"the Lamport time of {life.process} is {event['lamport']}, expected {expected}",
                before,
                event,
            )
        bare = BARE[life.agent is None]
        if event.kind == "bare" and (event["sent"] != event["lamport"] or event["kind"] not in bare):
            raise Violation(f"{life.process} sends what is no message outside the order", event)
        before = event


def check_messages(run: Lives) -> Counts:
    """Prove that every link of every epoch carried its messages in order, once, and unchanged.

    Raises
    ------
    Violation
    """
    sent: dict[Place, TraceEvent] = {}
    received: dict[Place, TraceEvent] = {}
    entered: dict[tuple[str, Epoch], TraceEvent] = {}
    for life in run.all:
        _follow(run, life, sent, received, entered)
    for (process, epoch), event in entered.items():
        _check_neighbours(process, epoch, event, entered)
    broken_off = set()
    for place, event in received.items():
        speaker = _of_last_word(run, place, event, sent, entered)
        if speaker is None:
            _match(sent.get(place), event)
        else:
            broken_off.add(f"{speaker.process}.{speaker.life}.jsonl:{len(speaker.events)}")
    lost = [place for place in sent if place not in received]
    if run.conclusion is not None and run.conclusion["state"] == "done":
        _check_nothing_needed(run, lost, sent)
    return Counts(len(received), len(lost), tuple(sorted(broken_off)))


def _follow(
    run: Lives,
    life: Life,
    sent: dict[Place, TraceEvent],
    received: dict[Place, TraceEvent],
    entered: dict[tuple[str, Epoch], TraceEvent],
) -> None:
    """Read the messages of a life; their numbers are 1, 2, 3, .. on each link of each epoch."""
    me, epoch = life.process, (0, 0)
    neighbours: dict[str, int] = {}
    for event in life.events:
        if "g" in event.fields and event.kind != "epoch" and event.epoch != epoch:
            raise Violation(f"{me} is in epoch {epoch}, but this belongs to {event.epoch}", event)
        if event.kind == "epoch":
            if event.epoch <= epoch:
                raise Violation("an epoch is entered that is not newer", event)
            epoch, neighbours = event.epoch, event["neighbours"]
            if entered.setdefault((me, epoch), event) is not event:
                raise Violation(f"{me} enters an epoch in two lives", entered[me, epoch], event)
            _check_family(run, life, event)
        elif event.kind in ("send", "receive", "unsend"):
            peer = event["peer"]
            if peer not in neighbours:
                raise Violation(f"{peer} is no neighbour of {me} in this epoch", event)
            if event.kind == "unsend":
                taken = sent.pop((me, peer, epoch, event["seq"]), None)
                if taken is None or (me, peer, epoch, event["seq"] + 1) in sent:
                    raise Violation(f"{me} takes back what is not the last message it sent", event)
                continue
            log, place = (sent, (me, peer)) if event.kind == "send" else (received, (peer, me))
            seq = event["seq"]
            if seq > 1 and (*place, epoch, seq - 1) not in log:
                raise Violation(
                    f"a {event.kind} has number {seq} on its link, but there is no {seq - 1}", event
                )
            known = log.setdefault((*place, epoch, seq), event)
            if known is not event:
                raise Violation(f"a {event.kind} has the number {seq} of another on its link", known, event)


def _check_family(run: Lives, life: Life, event: TraceEvent) -> None:
    """A process's neighbours are those of the DAG, and the coordinator."""
    if life.agent is None:
        expected = set(run.agent_names)
        if event.epoch[0] != life.life:
            raise Violation("a coordinator forms an epoch of another generation", event)
    else:
        family = [*run.parents[life.agent], *run.children[life.agent]]
        expected = {"coordinator", *(f"agent-{one}" for one in family)}
    if set(event["neighbours"]) != expected:
        raise Violation(f"{life.process} enters an epoch with other neighbours than the DAG gives it", event)


def _check_neighbours(
    process: str, epoch: Epoch, event: TraceEvent, entered: dict[tuple[str, Epoch], TraceEvent]
) -> None:
    """Two neighbours in an epoch know each other by the lives they are in."""
    for peer, life in event["neighbours"].items():
        other = entered.get((peer, epoch))
        if other is not None and (other.life != life or other["neighbours"].get(process) != event.life):
            raise Violation(f"{process} and {peer} do not mean each other in epoch {epoch}", event, other)
    if process != "coordinator" and ("coordinator", epoch) not in entered:
        raise Violation(f"{process} enters an epoch that the coordinator never formed", event)


def _of_last_word(
    run: Lives,
    place: Place,
    event: TraceEvent,
    sent: dict[Place, TraceEvent],
    entered: dict[tuple[str, Epoch], TraceEvent],
) -> Life | None:
    """Return the life whose last word this is, if it was said when its trace had broken off already.

    Its disk was full: it has no end in its file, and the coordinator, if it could, recorded that the run
    ended for that reason. What the last lines say was to be sent may have been taken back unrecorded.
    """
    sender, receiver, epoch, seq = place
    from_coordinator = sender == "coordinator"
    if event["kind"] != ("Finish" if from_coordinator else "Farewell"):
        return None
    recorded = sent.get(place)
    if recorded is not None and recorded["kind"] == event["kind"]:
        return None
    if (sender, receiver, epoch, seq + 1) in sent or (receiver, epoch) not in entered:
        return None
    number = entered[receiver, epoch]["neighbours"].get(sender)
    lives = [life for life in run.of(sender) if life.life == number and not life.closed]
    heads = [life for life in run.coordinators if life.life == epoch[0]]
    full = [life for life in heads if not life.closed or life.events[-1]["code"] == ExitCode.STORAGE]
    return lives[0] if lives and full else None


def _match(sent: TraceEvent | None, event: TraceEvent) -> None:
    if sent is None:
        raise Violation(f"{event.process} received what {event['peer']} never sent", event)
    if sent["lamport"] != event["sent"]:
        raise Violation("a message was received with another Lamport time than it was sent at", sent, event)
    for same in ("kind", "r", "s", "p"):
        if sent[same] != event[same]:
            raise Violation(f"a message was received with another {same} than it was sent with", sent, event)


def _check_nothing_needed(run: Lives, lost: list[Place], sent: dict[Place, TraceEvent]) -> None:
    """In the last epoch of a run that is done only the Finish and Farewell of named agents may be lost."""
    assert run.conclusion is not None
    absent = {f"agent-{agent}" for agent in run.conclusion["absent"]}
    final = max(epoch for _, _, epoch, _ in sent)
    for place in lost:
        sender, receiver, epoch, _ = place
        event = sent[place]
        excused = (event["kind"] == "Finish" and receiver in absent) or (
            event["kind"] == "Farewell" and sender in absent
        )
        if epoch == final and not excused:
            raise Violation(f"{receiver} never received what {sender} sent in the last epoch", event)
