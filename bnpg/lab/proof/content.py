"""What everybody said in the whole run: each thing once, or again in a replay with the very same content.

A key is (process, kind of message, round, turn, receiver). Theta is kept beside: by agent and
round, with the event that first shows it.
"""

from dataclasses import dataclass, field

from bnpg_protocol.process.recorder import payload
from bnpg_protocol.process.trace_line import (
    ActLine,
    ApplyLine,
    JoinLine,
    KeptLine,
    MessageLine,
    SendLine,
    StartLine,
)
from bnpg_protocol.wire.addresses import agent_of, process_name
from bnpg_protocol.wire.messages import SignalApplied
from msgspec import UNSET

from bnpg.trace.lives import Lives
from bnpg.trace.reading import Life, TraceEvent, Violation

Key = tuple[str, str, int, int | None, str | None]
"""The last: to whom it is said, if everybody is told something else."""
REPEATABLE = frozenset(
    {
        "ActionsAttested", "ActionsChosen", "ActionsRelayed", "FlowBroadcast", "ObservationsAnnounced",
        "SignalApplied", "SignalBroadcast", "StatesAnnounced", "TableRequested", "TableShown", "ThetaShown",
        "UpdateReported",
    }
)  # fmt: skip
"""Kinds of message that say the same in every replay of a round."""
TO_EACH = frozenset({"ActionsRelayed", "ObservationsAnnounced"})
"""Those that say something else to every receiver."""


@dataclass
class Content:
    """All messages that say something of a round, and every theta."""

    messages: dict[Key, TraceEvent] = field(default_factory=dict)
    thetas: list[dict[int, tuple[str, TraceEvent]]] = field(default_factory=list)
    """By agent and round r: digest of theta_r, and the event that first shows it."""


def collect(run: Lives) -> Content:
    """Prove that nobody contradicts itself, and that every chain of thetas is unbroken.

    Raises
    ------
    Violation
    """
    content = Content(thetas=[{} for _ in range(run.agents)])
    for life in run.all:
        if life.agent is not None:
            _follow_thetas(content.thetas[life.agent], life.process, life.events)
    for life in run.all:
        for event in life.events:
            match event.line:
                case SendLine(kind=kind, round=round_) if kind in REPEATABLE and round_ is not None:
                    _note(content, life, event, (life.process, kind, round_, event.turn, _receiver(event)))
                    if kind == "SignalApplied" and life.agent is not None:
                        _check_report(content.thetas[life.agent].get(round_ + 1), event, event.line)
                case ActLine(round=round_, turn=turn, rows=rows):
                    kind = "ActionsChosen" if rows is UNSET else "ActionsAttested"
                    _note(content, life, event, (life.process, kind, round_, turn, None))
                case JoinLine():
                    _check_held(run, event, event.line)
    _check_rows(run, content)
    return content


def _check_rows(run: Lives, content: Content) -> None:
    """Where actions are handed on: everybody acts on what its parents chose, and on nothing else."""
    acts = {
        (key[0], key[2], key[3]): event
        for key, event in content.messages.items()
        if key[1] == "ActionsAttested"
    }
    for (process, round_, turn), event in acts.items():
        agent, rows = agent_of(process), _rows(event)
        if agent is None or rows is None:
            continue
        expected = sorted((*run.parents[agent], agent))
        if sorted(rows) != expected:
            why = f"{process} acts on actions of {sorted(rows)}, expected {expected}"
            raise Violation(f"{why} (its own among them)", event)
        for parent in run.parents[agent]:
            chosen = acts.get((process_name(parent), round_, turn))
            known = None if chosen is None else _rows(chosen)
            if chosen is None or known is None or known[parent] != rows[parent]:
                by = _carrier(run, event, parent, agent)
                why = f"{process} acts at round {round_}, turn {turn} on actions of {process_name(parent)}"
                raise Violation(f"{why} that it did not choose{by}", *([chosen] if chosen else []), event)


def _rows(event: TraceEvent) -> dict[int, str] | None:
    rows = event.line.rows if isinstance(event.line, ActLine) else UNSET
    return None if rows is UNSET else rows


def _carrier(run: Lives, event: TraceEvent, parent: int, agent: int) -> str:
    """Return who handed a parent's actions on, in words; nothing if it sent them itself."""
    links = run.links(event.epoch[0])
    heard = () if links is None else links.hears[agent]
    by = [sender for sender, carried in heard if parent in carried and sender != parent]
    return f"; {process_name(by[0])} handed them on" if by else ""


def _note(content: Content, life: Life, event: TraceEvent, key: Key) -> None:
    """Prove that what is said now was not said otherwise before."""
    known = content.messages.setdefault(key, event)
    if payload_of(known) != payload_of(event):
        acts = isinstance(event.line, ActLine)
        how = "acts differently in a replay: act" if acts else f"says two different things: {key[1]}"
        raise Violation(f"{life.process} {how} of round {key[2]}", known, event)


def _receiver(event: TraceEvent) -> str | None:
    line = event.line
    return line.peer if isinstance(line, SendLine) and line.kind in TO_EACH else None


def payload_of(event: TraceEvent) -> str:
    """Return the digest of the message that an event is about."""
    assert isinstance(event.line, MessageLine | ActLine | ApplyLine)
    return event.line.payload


def _check_report(after: tuple[str, TraceEvent] | None, event: TraceEvent, line: SendLine) -> None:
    if after is None or not _reports(line, after[0]):
        shown = () if after is None else (after[1],)
        raise Violation(f"{event.process} reports another theta than it has", *shown, event)


def _reports(line: SendLine, theta: str) -> bool:
    """Whether a report is of this theta; what it says beside a table, the line says again."""
    if line.after is not UNSET:
        return line.after == theta
    assert line.round is not None
    return payload(SignalApplied(line.round, theta)) == line.payload


def _follow_thetas(
    thetas: dict[int, tuple[str, TraceEvent]], process: str, events: tuple[TraceEvent, ...]
) -> None:
    """Every digest of a theta, wherever it stands, is that of the one theta of its round."""
    for event in events:
        shown: dict[int, str] = {}
        match event.line:
            case StartLine(held=held):
                shown = held or {}
                if event.life == 1 and list(shown) != [0]:
                    why = "begins its first life with theta of another round than 0"
                    raise Violation(f"{process} {why}", event)
            case ApplyLine(round=round_, before=before, after=after):
                shown = {round_: before, round_ + 1: after}
                if round_ not in thetas:
                    raise Violation(f"{process} applies update {round_} to a theta nobody has seen", event)
            case KeptLine(round=round_, after=after):
                shown = {round_ + 1: after}
        for round_, digest in shown.items():
            known = thetas.setdefault(round_, (digest, event))
            if known[0] != digest:
                raise Violation(f"{process} has two different thetas of round {round_}", known[1], event)


def _check_held(run: Lives, event: TraceEvent, join: JoinLine) -> None:
    """What an agent says it holds when it joins is what its own trace begins with."""
    name = process_name(join.agent)
    for life in run.of(name):
        if life.life != join.life:
            continue
        first = max(life.start.held or ())
        reached = max(
            [first, *(own.line.round + 1 for own in life.events if isinstance(own.line, ApplyLine))]
        )
        if not first <= max(join.held, default=0) <= reached:
            raise Violation(
                f"{name} joins with another theta than its trace begins with", life.events[0], event
            )
