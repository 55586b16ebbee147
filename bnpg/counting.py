"""Progress of long work that is counted: a bar with the rate on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EVERY = 5.0
"""Seconds between two plain lines."""


@contextmanager
def counting(what: str, total: int, quiet: bool, plain: bool = False) -> Iterator[Callable[[], None]]:
    """Show on stderr how much of some work is done, for as long as the context lasts.

    Parameters
    ----------
    what : str
        What is counted, in the plural.
    total : int
    quiet : bool
        Show nothing.
    plain : bool
        Show lines on a terminal too, as beside another bar.

    Yields
    ------
    callable
        To be called whenever one more is done.
    """
    if quiet:
        yield lambda: None
    elif sys.stderr.isatty() and not plain:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)
    else:
        yield _Lines(what, total)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Show how many a second."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", "dim")


class _Lines:
    """A line every few seconds."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._began = self._said = time.monotonic()

    def __call__(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._said >= EVERY or self._done == self._total:
            self._said = now
            rate = self._done / max(now - self._began, 1e-9)
            print(
                f"{self._what} {self._done}/{self._total}, {rate:.1f} a second", file=sys.stderr, flush=True
            )
