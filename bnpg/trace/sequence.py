"""The message sequence of a round or a turn, as text, SVG or HTML.

Processes stand side by side, time runs downwards, one row an event, so that what happened in microseconds can
be read; the true time stands at the left. The critical path is marked: from the last event back, each time to
what it had to wait for longest.
"""

from dataclasses import dataclass
from html import escape

from bnpg_protocol.process.trace_line import LineInEpoch, ReceiveLine, SendLine
from bnpg_protocol.wire.addresses import COORDINATOR, agent_of, process_name

from bnpg.trace.reading import Life, TraceEvent
from bnpg_math.errors import InputError

_LANE = 170
_ROW = 22
_LEFT = 110
_TOP = 64
_SHORT = {
    "StatesAnnounced": "states",
    "ObservationsAnnounced": "seen",
    "ActionsChosen": "actions",
    "ActionsRelayed": "relayed",
    "ActionsAttested": "actions",
    "SignalBroadcast": "signal",
    "FlowBroadcast": "signal W",
    "SignalApplied": "applied",
    "TableRequested": "table?",
    "TableShown": "table",
}
_STYLE = """
  .page { fill: #ffffff } .ink { fill: #1a2230 } .soft { fill: #566073 } .lane { stroke: #c9d0da }
  .states { stroke: #0067a8; fill: #0067a8 } .actions { stroke: #c24a0a; fill: #c24a0a }
  .signal { stroke: #8e3f77; fill: #8e3f77 } .other { stroke: #5d6675; fill: #5d6675 }
  text { font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
  text { paint-order: stroke; stroke: none }
  text.label { stroke: light-dark(#ffffff, #12151b); stroke-width: 3px }
  .head { font-weight: 600; font-size: 13px } .time { font-size: 11px; text-anchor: end }
  line.message { stroke-width: 1.3 } .critical line.message { stroke-width: 3.4 }
  .critical circle { stroke-width: 3 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #12151b } .ink { fill: #e7eaf0 } .soft { fill: #a3adbd } .lane { stroke: #3b4352 }
    .states { stroke: #6cb8f2; fill: #6cb8f2 } .actions { stroke: #ff9a5c; fill: #ff9a5c }
    .signal { stroke: #e09bcb; fill: #e09bcb } .other { stroke: #aab3c2; fill: #aab3c2 }
  }
"""


@dataclass(frozen=True)
class Sequence:
    """What is drawn.

    Parameters
    ----------
    title : str
    processes : tuple of str
        Side by side.
    events : tuple of TraceEvent
        From the top to the bottom: sends before their receives, otherwise by time.
    arrows : tuple of (int, int)
        Rows of send and receive of every message.
    critical : frozenset of int
        Rows on the critical path.
    """

    title: str
    processes: tuple[str, ...]
    events: tuple[TraceEvent, ...]
    arrows: tuple[tuple[int, int], ...]
    critical: frozenset[int]


def sequence(lives: list[Life], round_: int, turn: int | None) -> Sequence:
    """Choose the events of a round, or of one turn of it, in the last epoch that played it.

    Raises
    ------
    InputError
        If the trace has no such round or turn; the text names those it has. Or if its files contradict each
        other.
    """
    mine = [
        event
        for life in lives
        for event in life.events
        if event.round == round_ and isinstance(event.line, LineInEpoch)
    ]
    if not mine:
        rounds = sorted({event.round for life in lives for event in life.events if event.round is not None})
        span = f"rounds {rounds[0]}..{rounds[-1]}" if rounds else "no round"
        raise InputError(f"the trace has {span}, not round {round_}")
    epoch = max(event.epoch for event in mine)
    mine = [event for event in mine if event.epoch == epoch]
    if turn is not None:
        turns = sorted({event.turn for event in mine if event.turn is not None})
        mine = [event for event in mine if event.turn == turn]
        if not mine:
            span = f"turns {turns[0]}..{turns[-1]}" if turns else "no turns"
            raise InputError(f"round {round_} has {span}, not turn {turn}")
    events = _in_causal_order(mine)
    # Of a message that is sent twice the first counts: only that lies before what received it.
    sent: dict[tuple[str, str, int], int] = {}
    for row, event in enumerate(events):
        if isinstance(event.line, SendLine):
            sent.setdefault(_passage(event), row)
    arrows = [
        (sent[_passage(event)], row)
        for row, event in enumerate(events)
        if isinstance(event.line, ReceiveLine) and _passage(event) in sent
    ]
    names = {event.process for event in events}
    agents = sorted(agent for name in names if (agent := agent_of(name)) is not None)
    where = f"round {round_}" + ("" if turn is None else f", turn {turn}")
    return Sequence(
        title=f"Messages of {where}",
        processes=(process_name(COORDINATOR), *map(process_name, agents)),
        events=tuple(events),
        arrows=tuple(arrows),
        critical=_critical(events, arrows),
    )


def _passage(event: TraceEvent) -> tuple[str, str, int]:
    """Return sender, receiver and number of the message that is sent or received."""
    line = event.line
    assert isinstance(line, SendLine | ReceiveLine)
    ends = (event.process, line.peer) if isinstance(line, SendLine) else (line.peer, event.process)
    return *ends, line.seq


def _in_causal_order(events: list[TraceEvent]) -> list[TraceEvent]:
    """Order by time; where clocks or rounding disagree with causality, causality wins."""
    by_process: dict[tuple[str, int], list[TraceEvent]] = {}
    for event in events:
        by_process.setdefault((event.process, event.life), []).append(event)
    sends = {_passage(event) for event in events if isinstance(event.line, SendLine)}
    gone: set[tuple[str, str, int]] = set()
    ordered: list[TraceEvent] = []
    while by_process:
        ready = []
        for key, queue in by_process.items():
            first = queue[0]
            needs = _passage(first) if isinstance(first.line, ReceiveLine) else None
            if needs is None or needs not in sends or needs in gone:
                ready.append((first.line.time, key))
        if not ready:
            waiting = min((queue[0] for queue in by_process.values()), key=lambda event: event.line.time)
            raise InputError(
                "the files of the trace contradict each other: each waits for a message of another, as "
                f"{waiting.process}.{waiting.life}.jsonl:{waiting.line.number + 1}"
            )
        _, key = min(ready)
        event = by_process[key].pop(0)
        if isinstance(event.line, SendLine):
            gone.add(_passage(event))
        ordered.append(event)
        if not by_process[key]:
            del by_process[key]
    return ordered


def _critical(events: list[TraceEvent], arrows: list[tuple[int, int]]) -> frozenset[int]:
    """Go back from the last event: from a receive to its send, else to what the same process did before."""
    origin = {receive: send for send, receive in arrows}
    path = set()
    row: int | None = len(events) - 1
    while row is not None:
        path.add(row)
        if row in origin:
            row = origin[row]
            continue
        process = events[row].process
        row = next((at for at in range(row - 1, -1, -1) if events[at].process == process), None)
    return frozenset(path)


def sequence_text(drawn: Sequence) -> str:
    """Return the sequence as lines; `*` marks the critical path."""
    start = drawn.events[0].line.time
    lines = [drawn.title, ""]
    for row, event in enumerate(drawn.events):
        mark = "*" if row in drawn.critical else " "
        lines.append(f"{mark} {1e3 * (event.line.time - start):9.3f} ms  {event.process:12} {_text(event)}")
    return "\n".join([*lines, "", "* critical path: what the end of this sequence waited for"])


def _text(event: TraceEvent) -> str:
    turn = "" if event.turn is None else f" turn {event.turn}"
    match event.line:
        case SendLine(peer=peer, kind=kind):
            return f"-> {peer:12} {kind}{turn}"
        case ReceiveLine(peer=peer, kind=kind):
            return f"<- {peer:12} {kind}{turn}"
        case _:
            return f"   {event.verb}{turn}"


def sequence_svg(drawn: Sequence) -> str:
    """Return the sequence as an SVG drawing that follows the reader's light or dark setting."""
    width = _LEFT + _LANE * len(drawn.processes)
    height = _TOP + _ROW * (len(drawn.events) + 1)
    middle = {name: _LEFT + _LANE * (place + 0.5) for place, name in enumerate(drawn.processes)}
    start = drawn.events[0].line.time
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(drawn.title)}"><title>{escape(drawn.title)}</title><style>{_STYLE}</style>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="context-stroke"/>'
        "</marker></defs>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        f'<text class="head ink" x="12" y="22">{escape(drawn.title)}</text>',
    ]
    for name, x in middle.items():
        parts.append(
            f'<text class="head ink" x="{x}" y="{_TOP - 14}" text-anchor="middle">{escape(name)}</text>'
        )
        parts.append(f'<line class="lane" x1="{x}" x2="{x}" y1="{_TOP - 4}" y2="{height - 8}"/>')
    height_of = [_TOP + _ROW * (row + 0.5) for row in range(len(drawn.events))]
    shown = ""
    for row, event in enumerate(drawn.events):
        time = f"{1e3 * (event.line.time - start):.2f} ms"
        if time != shown:
            parts.append(f'<text class="time soft" x="{_LEFT - 14}" y="{height_of[row] + 4}">{time}</text>')
            shown = time
        if not isinstance(event.line, SendLine | ReceiveLine):
            x = middle[event.process]
            group = "critical other" if row in drawn.critical else "other"
            parts.append(
                f'<g class="{group}"><circle cx="{x}" cy="{height_of[row]}" r="4"/>'
                f'<text class="ink" x="{x + 9}" y="{height_of[row] + 4}">{escape(event.verb)}</text></g>'
            )
    for send, receive in drawn.arrows:
        event, line = drawn.events[send], drawn.events[send].line
        assert isinstance(line, SendLine)
        critical = " critical" if {send, receive} <= drawn.critical else ""
        label = _SHORT.get(line.kind, line.kind)
        tone = {"states": "states", "actions": "actions", "relayed": "actions"}.get(
            label, "signal" if "signal" in label else "other"
        )
        x1, x2 = middle[event.process], middle[line.peer]
        y1, y2 = height_of[send], height_of[receive]
        parts.append(
            f'<g class="{tone}{critical}"><line class="message" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" '
            f'marker-end="url(#tip)"><title>{escape(str(event))}</title></line>'
            f'<text class="label" x="{x1 + (10 if x2 > x1 else -10)}" y="{y1 - 3}" '
            f'text-anchor="{"start" if x2 > x1 else "end"}">{escape(label)}</text></g>'
        )
    return "\n".join([*parts, "</svg>"])
