"""The messages of single steps: who waited for whom, and what crossed the wires in which order.

Reading the trace, putting a step in causal order and finding its critical path is the work of `bnpg.trace`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bnpg_protocol.process.trace_line import ActLine, ApplyLine, KeptLine, ReceiveLine, SendLine
from markupsafe import Markup

from bnpg.durations import duration
from bnpg.report.page import Page, render_page, render_section
from bnpg.trace.reading import Life, TraceEvent, Violation, read_trace
from bnpg.trace.sequence import Sequence as MessageSequence
from bnpg.trace.sequence import sequence, sequence_svg, sequence_text
from bnpg_math.errors import InputError

MOST_STEPS = 24
"""Steps on a page: the first, the last, the slowest, and some in between."""
SLOWEST = 6
"""Of them the slowest."""
MOST_EVENTS = 400
"""Events of a step up to which it is drawn."""

DRAWN = SendLine | ReceiveLine | ActLine | ApplyLine | KeptLine
"""Kinds of events that make a step; signs of life and the like belong to none."""

Moment = tuple[int, int | None]
"""A round, and a step of it; None in exact mode, where a round has no steps."""


@dataclass(frozen=True)
class Span:
    """What a process does for a while.

    Parameters
    ----------
    left, width : float
        Percent of the time of the step.
    kind : str
        `wait` or `work`.
    words : str
        For whom it waits, or what it does; with the time.
    critical : bool
        Whether the end of the step waited for this.
    """

    left: float
    width: float
    kind: str
    words: str
    critical: bool


@dataclass(frozen=True)
class Lane:
    """A process and what it does."""

    process: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Hop:
    """A message between lanes, as a line in percent of the width and of the lanes' height."""

    x1: float
    y1: float
    x2: float
    y2: float
    critical: bool


@dataclass(frozen=True)
class DrawnStep:
    """All that is shown of one step.

    Parameters
    ----------
    key, label : str
        For the choice.
    title : str
    seconds : float
    lanes : tuple of Lane
    hops : tuple of Hop
    ticks : tuple of (float, str)
        Places in percent, and times.
    path : str
        The critical path in words.
    svg : Markup
        The message sequence.
    text : str
        The same, to be read.
    """

    key: str
    label: str
    title: str
    seconds: float
    lanes: tuple[Lane, ...]
    hops: tuple[Hop, ...]
    ticks: tuple[tuple[float, str], ...]
    path: str
    svg: Markup
    text: str


@dataclass(frozen=True)
class MessageView:
    """What a page shows of a trace.

    Parameters
    ----------
    steps : tuple of DrawnStep
    recorded : int
        Steps in the trace.
    chosen : str
        The key of the step that is shown first: the slowest.
    missing : str
        Why there is nothing to show; empty if there is.
    """

    steps: tuple[DrawnStep, ...] = ()
    recorded: int = 0
    chosen: str = ""
    missing: str = ""


def read_lives(folder: Path) -> tuple[list[Life], str]:
    """Return the trace of a run folder, or why it cannot be shown."""
    if not (folder / "trace").is_dir():
        return [], "No message was recorded: train with --trace to see who waited for whom."
    try:
        return read_trace(folder / "trace"), ""
    except Violation as violation:
        return [], f"The trace cannot be shown: {violation.why}. `bnpg trace check` tells more."
    except InputError as error:
        return [], f"The trace cannot be shown: {error}."


def message_view(lives: list[Life], missing: str) -> MessageView:
    """Draw the most telling steps of a trace."""
    moments = _by_moment(lives)
    if not moments:
        return MessageView(missing=missing or "The trace ends before the first step.")
    spent = {moment: _seconds(parts) for moment, parts in moments.items()}
    chosen = _choose(spent)
    slowest = max(chosen, key=lambda moment: spent[moment])
    small = [moment for moment in chosen if sum(len(life.events) for life in moments[moment]) <= MOST_EVENTS]
    try:
        steps = [
            _draw(moment, moments[moment], "the slowest" if moment == slowest else "") for moment in small
        ]
    except InputError as error:
        return MessageView(missing=f"The trace cannot be shown: {error}.")
    if not steps:
        return MessageView(missing=f"Every step has more than {MOST_EVENTS} events, too many to be drawn.")
    first = next((step.key for step in steps if step.key == _key(slowest)), steps[0].key)
    return MessageView(tuple(steps), len(moments), first)


def _by_moment(lives: Iterable[Life]) -> dict[Moment, list[Life]]:
    """Sort the events of all lives by round and step."""
    sorted_: dict[Moment, dict[tuple[str, int], list[TraceEvent]]] = defaultdict(lambda: defaultdict(list))
    kept: dict[tuple[str, int], Life] = {}
    stepped = any(event.turn is not None for life in lives for event in life.events)
    for life in lives:
        kept[life.process, life.life] = life
        for event in life.events:
            round_, turn = event.round, event.turn
            if isinstance(event.line, DRAWN) and round_ is not None and (turn is not None or not stepped):
                sorted_[round_, turn][life.process, life.life].append(event)
    return {
        moment: [replace(kept[whose], events=tuple(events)) for whose, events in parts.items()]
        for moment, parts in sorted(sorted_.items(), key=lambda item: (item[0][0], item[0][1] or 0))
    }


def _seconds(parts: Sequence[Life]) -> float:
    """Return how long a step took, in the last epoch that played it."""
    events = [event for life in parts for event in life.events]
    epoch = max(event.epoch for event in events)
    times = [event.line.time for event in events if event.epoch == epoch]
    return max(times) - min(times)


def _choose(spent: dict[Moment, float]) -> list[Moment]:
    moments = list(spent)
    if len(moments) <= MOST_STEPS:
        return moments
    slowest = sorted(moments, key=lambda moment: -spent[moment])[:SLOWEST]
    between = MOST_STEPS - SLOWEST
    spread = [moments[round(k * (len(moments) - 1) / (between - 1))] for k in range(between)]
    wanted = {*slowest, *spread}
    return [moment for moment in moments if moment in wanted]


def _draw(moment: Moment, parts: list[Life], remark: str) -> DrawnStep:
    drawn = sequence(parts, *moment)
    start = min(event.line.time for event in drawn.events)
    end = max(event.line.time for event in drawn.events)
    seconds = max(end - start, 1e-9)

    def place(event: TraceEvent) -> float:
        return 100 * (event.line.time - start) / seconds

    where = f"round {moment[0]}" + ("" if moment[1] is None else f", step {moment[1]}")
    suffix = f", {remark}" if remark else ""
    lanes = tuple(Lane(process, _spans(drawn, process, place, seconds)) for process in drawn.processes)
    row = {process: 100 * (k + 0.5) / len(drawn.processes) for k, process in enumerate(drawn.processes)}
    hops = tuple(
        Hop(
            place(drawn.events[send]), row[drawn.events[send].process],
            place(drawn.events[receive]), row[drawn.events[receive].process],
            {send, receive} <= drawn.critical,
        )
        for send, receive in drawn.arrows
    )  # fmt: skip
    return DrawnStep(
        key=_key(moment),
        label=f"{where}: {duration(seconds)}{suffix}",
        title=where,
        seconds=seconds,
        lanes=lanes,
        hops=hops,
        ticks=tuple((25.0 * k, duration(seconds * k / 4)) for k in range(5)),
        path=_path(drawn),
        svg=_without_style(sequence_svg(drawn)),
        text=sequence_text(drawn),
    )


def _spans(
    drawn: MessageSequence, process: str, place: Callable[[TraceEvent], float], seconds: float
) -> tuple[Span, ...]:
    """Return what a process does: it waits until a message comes, and works until it says something."""
    spans = []
    mine = [(row, event) for row, event in enumerate(drawn.events) if event.process == process]
    since = 0.0
    for row, event in mine:
        at = place(event)
        width = max(at - since, 0.0)
        match event.line:
            case ReceiveLine(peer=peer):
                kind, what = "wait", f"waits for {peer}"
            case SendLine():
                kind, what = "work", "sends"
            case _:
                kind, what = "work", event.verb
        words = f"{what}, {duration(width * seconds / 100)}"
        spans.append(Span(since, width, kind, words, row in drawn.critical))
        since = at
    return tuple(spans)


def _path(drawn: MessageSequence) -> str:
    """Say whom the end of the step waited for, hop by hop."""
    route: list[str] = []
    for row in sorted(drawn.critical):
        process = drawn.events[row].process
        if not route or route[-1] != process:
            route.append(process)
    return " → ".join(route)


def sequence_html(drawn: MessageSequence) -> str:
    """Return the drawing of a sequence as one self-contained page, with the same as a list."""
    about = "Time runs downwards. Thick is the critical path: what the end of this sequence waited for."
    svg, text = _without_style(sequence_svg(drawn)), sequence_text(drawn)
    template = "sequence.html.j2"
    section = render_section("sequence", "Message sequence", template, of=drawn.title, svg=svg, text=text)
    return render_page(Page(drawn.title, about, [section]))


def _without_style(svg: str) -> Markup:
    """Leave the looks of a drawing to the page: its own style would reach beyond it and follow no button."""
    return Markup(re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL))  # noqa: S704 (its texts are escaped)


def _key(moment: Moment) -> str:
    return f"{moment[0]}." + ("" if moment[1] is None else str(moment[1]))
