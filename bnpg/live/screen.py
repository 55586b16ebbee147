"""The live view of a terminal: progress, numbers with their course, the team, the messages."""

from typing import TextIO

from bnpg_coordinator.line import Line, number
from bnpg_protocol.wire.letters import shown
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from bnpg.durations import duration
from bnpg.live.numbers import in_words, sparkline
from bnpg.live.observation import Observation, ObservedRun

REDRAWN = 2.5
"""Times a second: a person reads no faster, and drawing costs a few milliseconds."""
MOST_AGENTS = 12
"""Agents with a line each; of a larger team only those that are not simply up."""
COURSE = ("return_mean", "value", "optimality_gap", "nash_gap")
_SIGNS = {"up": ("●", "green"), "awaited": ("◐", "yellow"), "down": ("○", "red"), "unknown": ("·", "dim")}


class Screen:
    """A view that is drawn anew in place.

    Parameters
    ----------
    observer : ObservedRun
    stream : text file
        A terminal.
    """

    def __init__(self, observer: ObservedRun, stream: TextIO) -> None:
        self._observer = observer
        self._history: dict[str, list[float]] = {key: [] for key in COURSE}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, complete_style="blue", finished_style="green"),
            TextColumn("{task.percentage:>3.0f} %"),
            _Speed(),
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(),
            expand=True,
        )
        self._task = self._progress.add_task("starting the processes", total=max(observer.rounds, 1))
        self.live = Live(
            get_renderable=self._render,
            console=Console(file=stream),
            refresh_per_second=REDRAWN,
            transient=True,
        )

    def __call__(self, line: Line, /) -> None:
        """Take in a line of the run record."""
        self._observer.take(line)
        for key, values in self._history.items():
            value = number(getattr(line, key))
            if value is not None:
                values.append(value)
        done, rounds = line.round, self._observer.rounds
        self._progress.update(
            self._task, completed=done if rounds else 1, description=f"round {done}/{rounds}"
        )

    def _render(self) -> RenderableType:
        seen = self._observer.now()
        return Group(self._progress, self._numbers(seen), self._team(seen), _messages(seen))

    def _numbers(self, seen: Observation) -> Table:
        table = Table.grid(padding=(0, 2))
        for key, name, value in in_words(seen.latest, seen.latest.optimum):
            course = Text(sparkline(self._history[key]), "blue")
            table.add_row(Text(f"  {name}", "dim"), Text(value, "bold"), course)
        return table

    def _team(self, seen: Observation) -> Table:
        table = Table.grid(padding=(0, 2))
        lines = seen.agents
        if len(lines) > MOST_AGENTS:
            lines = tuple(agent for agent in lines if agent.state != "up")[:MOST_AGENTS]
            rest = len(seen.agents) - len(lines)
            table.add_row("", Text(f"{rest} agents up", "green"))
        for agent in lines:
            sign, style = _SIGNS[agent.state]
            parents = self._observer.dag.parents[agent.agent]
            sees = f"sees {', '.join(map(str, parents))}" if parents else "sees nobody"
            table.add_row(
                Text(f"  {sign}", style),
                Text(f"agent {agent.agent}"),
                Text(sees, "dim"),
                Text(shown(agent.words), "" if agent.state == "up" else style),
            )
        return table


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Show rounds a second."""
        speed = task.speed or 0.0
        return Text(f"{speed:.{0 if speed >= 10 else 1}f}/s" if speed else "", "dim")


def _messages(seen: Observation) -> Text:
    text = Text("  ", no_wrap=True, overflow="ellipsis")
    if seen.silent is not None:
        return text.append(f"no word from the coordinator for {duration(round(seen.silent))}", "red")
    if seen.messages_per_second is not None:
        text.append(f"{seen.messages_per_second:.0f} messages/s   ", "bold")
    if seen.phase:
        counts = f"{seen.retransmitted} sent again   {seen.duplicates} twice   {seen.refused} refused"
        text.append(counts, "dim")
    if seen.waiting_for and seen.waiting_for != "nobody":
        text.append(f"\n  waiting for {shown(seen.waiting_for)}", "dim")
    return text
