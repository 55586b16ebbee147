"""What went wrong on purpose: the faults of the plan, as events on the axis of rounds and of time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from bnpg_protocol.process.faults.plan import FaultPlan, LinkFault

from bnpg.durations import duration
from bnpg.report.chart import Chart, Mark, Series
from bnpg.report.numbers import shown
from bnpg.report.recorded_run import RecordedRun
from bnpg.trace.reading import Life


@dataclass(frozen=True)
class FaultEvent:
    """One fault of the plan that has a place in time.

    Parameters
    ----------
    what : str
        In words.
    style : str
        `kill`, `return`, `pause` or `partition`.
    round : int or None
        When, by round.
    at : float or None
        When, in seconds after the start of the run; None if the run did not come that far.
    seconds : float
        How long it lasts; 0 for a moment.
    """

    what: str
    style: str
    round: int | None
    at: float | None
    seconds: float = 0.0


def fault_events(run: RecordedRun) -> list[FaultEvent]:
    """Return the faults that have a moment, in the order of time."""
    plan = run.plan
    if plan is None:
        return []
    events: list[FaultEvent] = []
    for cut in plan.partition:
        groups = " from ".join("{" + ", ".join(group) + "}" for group in cut.groups)
        at = cut.start if cut.start is not None else _second(run, cut.round)
        events.append(
            FaultEvent(
                f"partition of {groups} for {cut.seconds:g} s", "partition", cut.round, at, cut.seconds
            )
        )
    for pause in plan.pause:
        what = f"{pause.process} hangs for {pause.seconds:g} s ({pause.phase})"
        events.append(FaultEvent(what, "pause", pause.round, _second(run, pause.round), pause.seconds))
    for kill in plan.kill:
        life = "" if kill.incarnation == 1 else f", life {kill.incarnation}"
        what = f"{kill.process} is killed ({kill.phase}{life})"
        events.append(FaultEvent(what, "kill", kill.round, _second(run, kill.round)))
    for short in plan.exhaust:
        lasting = "" if short.seconds is None else f" for {short.seconds:g} s"
        what = f"{short.process} runs out of {short.of}{lasting} ({short.phase})"
        events.append(FaultEvent(what, "pause", short.round, _second(run, short.round), short.seconds or 0.0))
    return sorted(events, key=lambda event: (event.at is None, event.at or 0.0, event.round or 0))


def observed_events(lives: Sequence[Life]) -> list[FaultEvent]:
    """Return what the trace shows of deaths and returns, in the order of time."""
    coordinators = [life for life in lives if life.agent is None]
    if not coordinators:
        return []
    start = coordinators[0].events[0].line.time
    latest = {
        life.process: max(other.life for other in lives if other.process == life.process) for life in lives
    }
    events = []
    for life in lives:
        began, ended = (life.events[at].line.time - start for at in (0, -1))
        if life.life > 1:
            what = f"{life.process} came back for life {life.life}"
            events.append(FaultEvent(what, "return", None, max(began, 0.0)))
        if life.end is None and life.life < latest[life.process]:
            events.append(
                FaultEvent(f"{life.process} died in life {life.life}", "kill", None, max(ended, 0.0))
            )
    return sorted(events, key=lambda event: event.at or 0.0)


def standing_faults(plan: FaultPlan) -> list[str]:
    """Return, in words, the faults of links that may strike at any time."""
    kinds = ("delay", "drop", "duplicate", "reorder", "corrupt")
    return [_describe(kind, fault) for kind in kinds for fault in getattr(plan, kind)]


def round_events(events: list[FaultEvent]) -> list[Mark]:
    """Return the events on an axis of rounds."""
    return [Mark(event.what, event.style, float(event.round)) for event in events if event.round is not None]


def time_chart(run: RecordedRun, events: Sequence[FaultEvent]) -> Chart | None:
    """Return how long each round took, with the faults in their places; None for an empty record.

    The last line of a run that has done all its rounds is the measurement after them, and no round.
    """
    rounds, elapsed = run.elapsed
    _, seconds = run.column("seconds")
    played = rounds < run.experiment.rounds
    rounds, elapsed, seconds = rounds[played], elapsed[played], seconds[played]
    if len(rounds) < 2:
        return None
    marks = [
        Mark(event.what, event.style, event.at, event.at + event.seconds if event.seconds else None)
        for event in events
        if event.at is not None and event.at <= elapsed[-1]
    ]
    slowest = int(np.argmax(seconds))
    caption = (
        f"A round took {duration(float(np.median(seconds)))} as a rule; the slowest was round "
        f"{int(rounds[slowest])} with {duration(float(seconds[slowest]))}."
    )
    return Chart(
        "time", "How long each round took", caption,
        "seconds since the start", "seconds a round (logarithmic)",
        [Series("time of a round", "value", elapsed, np.maximum(seconds, 1e-6))], (), marks, log=True,
    )  # fmt: skip


def _second(run: RecordedRun, round_: int | None) -> float | None:
    """Return when a round began."""
    if round_ is None:
        return None
    rounds, elapsed = run.elapsed
    earlier = elapsed[rounds < round_]
    if not len(rounds) or rounds[-1] < round_:
        return None
    return float(earlier[-1]) if len(earlier) else 0.0


def _describe(kind: str, fault: LinkFault) -> str:
    often = "every" if fault.probability == 1.0 else f"{100 * fault.probability:g} % of the"
    what = " or ".join(fault.messages) if fault.messages else ""
    where = "" if (fault.sender, fault.to) == ("*", "*") else f" from {fault.sender} to {fault.to}"
    when = "" if fault.rounds is None else f" in rounds {fault.rounds[0]} to {fault.rounds[1]}"
    seconds = getattr(fault, "seconds", None)
    by = f", {shown(seconds)} s" if kind == "delay" and seconds is not None else ""
    noun = "message" if fault.probability == 1.0 else "messages"
    return f"{kind}: {often} {what + ' ' if what else ''}{noun}{where}{when}{by}"
