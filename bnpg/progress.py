"""What a person sees of a run while it goes on: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EVERY = 1.0
"""Seconds between two plain lines."""


class Watcher(Protocol):
    """Looks on at a run."""

    def __call__(self, line: dict[str, Any], /) -> None:
        """Take in a line of the run record."""


@contextmanager
def watching(rounds: int, quiet: bool, stream: TextIO | None = None) -> Iterator[Watcher]:
    """Show the progress of a run on stderr for as long as the context lasts.

    Parameters
    ----------
    rounds : int
        R.
    quiet : bool
        Show nothing.
    stream : text file, optional
        Instead of stderr.
    """
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield lambda line: None  # noqa: ARG005
    elif stream.isatty():
        bar = _Bar(rounds, stream)
        with bar.live:
            yield bar
    else:
        yield _Lines(rounds, stream)


class _Numbers:
    """The latest numbers of a run, in words."""

    def __init__(self) -> None:
        self._latest: dict[str, Any] = {}

    def take(self, line: dict[str, Any]) -> None:
        self._latest |= {key: value for key, value in line.items() if isinstance(value, int | float)}

    def words(self) -> list[tuple[str, str]]:
        latest = self._latest
        words = []
        if "return_mean" in latest:
            error = latest.get("return_stderr")
            words.append(("return", f"{latest['return_mean']:.3f}" + (f" ± {error:.3f}" if error else "")))
        if "value" in latest:
            words.append(("exact value", f"{latest['value']:.4f}"))
        if "optimality_gap" in latest:
            words.append(("optimality gap", f"{latest['optimality_gap']:.4g}"))
        if "nash_gap" in latest:
            words.append(("Nash gap", f"{latest['nash_gap']:.4g}"))
        return words


class _Lines:
    """At most one line a second."""

    def __init__(self, rounds: int, stream: TextIO) -> None:
        self._rounds = rounds
        self._stream = stream
        self._numbers = _Numbers()
        self._began: tuple[float, int] | None = None
        self._said = time.monotonic()

    def __call__(self, line: dict[str, Any], /) -> None:
        now, round_ = time.monotonic(), int(line["round"])
        self._numbers.take(line)
        if self._began is None:
            self._began = (now, round_)
        if now - self._said < EVERY and round_ < self._rounds:
            return
        self._said = now
        words = "".join(f", {name} {value}" for name, value in self._numbers.words())
        since, first = self._began
        left = ""
        if first < round_ < self._rounds:
            seconds = (now - since) / (round_ - first) * (self._rounds - round_)
            left = f", {seconds:.0f} s left"
        print(f"round {round_}/{self._rounds}{words}{left}", file=self._stream, flush=True)


class _Bar:
    """A bar with the numbers below it."""

    def __init__(self, rounds: int, stream: TextIO) -> None:
        self._numbers = _Numbers()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, complete_style="blue", finished_style="green"),
            TextColumn("{task.percentage:>3.0f} %"),
            _Speed(),
            TimeRemainingColumn(),
            expand=True,
        )
        self._task = self._progress.add_task("starting the processes", total=max(rounds, 1))
        self._rounds = rounds
        self.live = Live(
            get_renderable=self._render, console=Console(file=stream), refresh_per_second=8, transient=True
        )

    def __call__(self, line: dict[str, Any], /) -> None:
        self._numbers.take(line)
        done = int(line["round"])
        complete = done if self._rounds else 1
        self._progress.update(self._task, completed=complete, description=f"round {done}/{self._rounds}")

    def _render(self) -> Group:
        numbers = Text("  ", no_wrap=True, overflow="ellipsis")
        for name, value in self._numbers.words():
            numbers.append(f"{name} ", "dim").append(f"{value}   ", "bold")
        return Group(self._progress, numbers)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Show rounds a second."""
        speed = task.speed or 0.0
        return Text(f"{speed:.{0 if speed >= 10 else 1}f}/s" if speed else "", "dim")
