"""What everybody said in the whole run: each thing once, or again in a replay with the very same content.

A key is (process, kind of message, round, step). Theta is kept beside: by agent and round, with the event
that first shows it.
"""

from dataclasses import dataclass, field

from bnpg_protocol.process.recorder import payload
from bnpg_protocol.wire.messages import SignalApplied

from bnpg.trace.lives import Lives
from bnpg.trace.reading import TraceEvent, Violation

Key = tuple[str, str, int, int | None]
REPEATABLE = frozenset(
    {
        "ActionsChosen", "FlowBroadcast", "SignalApplied", "SignalBroadcast", "StatesAnnounced",
        "TableRequested", "TableShown", "ThetaShown",
    }
)  # fmt: skip
"""Kinds of message that say the same in every replay of a round."""


@dataclass
class Said:
    """All that was said, and every theta."""

    messages: dict[Key, TraceEvent] = field(default_factory=dict)
    thetas: list[dict[int, tuple[str, TraceEvent]]] = field(default_factory=list)
    """By agent and round r: digest of theta_r, and the event that first shows it."""


def collect(run: Lives) -> Said:
    """Prove that nobody contradicts itself, and that every chain of thetas is unbroken.

    Raises
    ------
    Violation
    """
    said = Said(thetas=[{} for _ in range(run.agents)])
    for life in run.all:
        if life.agent is not None:
            _follow_thetas(said.thetas[life.agent], life.process, life.events)
    for life in run.all:
        for event in life.events:
            if event.kind == "send" and event["kind"] in REPEATABLE:
                _note(said, life.process, event)
            elif event.kind == "act":
                act = said.messages.setdefault((life.process, "ActionsChosen", event["r"], event["s"]), event)
                _same(act, event, f"{life.process} acts differently in a replay")
            elif event.kind == "join":
                _check_held(run, event)
    return said


def _note(said: Said, process: str, event: TraceEvent) -> None:
    key = (process, event["kind"], event["r"], event["s"])
    _same(said.messages.setdefault(key, event), event, f"{process} says two different things")
    if event["kind"] == "SignalApplied":
        agent = int(process.removeprefix("agent-"))
        after = said.thetas[agent].get(event["r"] + 1)
        if after is None or payload(SignalApplied(event["r"], after[0])) != event["p"]:
            shown = () if after is None else (after[1],)
            raise Violation(f"{process} reports another theta than it has", *shown, event)


def _same(known: TraceEvent, event: TraceEvent, why: str) -> None:
    if known["p"] != event["p"]:
        raise Violation(f"{why}: {event.fields.get('kind', 'act')} of round {event['r']}", known, event)


def _follow_thetas(
    thetas: dict[int, tuple[str, TraceEvent]], process: str, events: tuple[TraceEvent, ...]
) -> None:
    """Every digest of a theta, wherever it stands, is that of the one theta of its round."""
    for event in events:
        shown: dict[int, str] = {}
        if event.kind == "start":
            shown = {int(round_): digest for round_, digest in event["held"].items()}
            if event.life == 1 and list(shown) != [0]:
                raise Violation(f"{process} begins its first life with theta of another round than 0", event)
        elif event.kind == "apply":
            shown = {event["r"]: event["before"], event["r"] + 1: event["after"]}
            if event["r"] not in thetas:
                raise Violation(f"{process} applies update {event['r']} to a theta nobody has seen", event)
        elif event.kind == "kept":
            shown = {event["r"] + 1: event["after"]}
        for round_, digest in shown.items():
            known = thetas.setdefault(round_, (digest, event))
            if known[0] != digest:
                raise Violation(f"{process} has two different thetas of round {round_}", known[1], event)


def _check_held(run: Lives, event: TraceEvent) -> None:
    """What an agent says it holds when it joins is what its own trace begins with."""
    name = f"agent-{event['agent']}"
    for life in run.of(name):
        if life.life != event["life"]:
            continue
        reached = max(
            [int(round_) for round_ in life.events[0]["held"]]
            + [one["r"] + 1 for one in life.events if one.kind == "apply"]
        )
        first = max(int(round_) for round_ in life.events[0]["held"])
        if not first <= max(event["held"], default=0) <= reached:
            raise Violation(
                f"{name} joins with another theta than its trace begins with", life.events[0], event
            )
