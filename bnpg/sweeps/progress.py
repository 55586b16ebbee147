"""What a person sees of a sweep while it goes on: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bnpg_protocol.wire.exit_codes import ExitCode
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bnpg.durations import duration
from bnpg.sweeps.grid import GridRun
from bnpg.sweeps.pool import Ending

EVERY = 2.0
"""Seconds between two plain lines."""


class Tally:
    """How much of a sweep is done, in runs and in rounds.

    Parameters
    ----------
    runs : sequence of GridRun
    finished : set of int
        Numbers of the runs that were done before.
    """

    def __init__(self, runs: Sequence[GridRun], finished: set[int]) -> None:
        self._rounds = {run.number: run.experiment.rounds for run in runs}
        self._names = {run.number: run.name for run in runs}
        self._done = {number: self._rounds[number] if number in finished else 0 for number in self._rounds}
        self._before: dict[int, int] = {}
        self.ended = len(finished)
        self.total = len(runs)
        self.failed: dict[int, str] = {}
        self._began = time.monotonic()

    def round_done(self, number: int, round_: int) -> None:
        """Take in that a run has recorded a round; what it had before this sweep went on is no speed."""
        self._before.setdefault(number, max(0, round_ - 1))
        self._done[number] = max(self._done[number], round_)

    def run_ended(self, number: int, ending: Ending) -> None:
        """Take in that a run has ended."""
        if ending.code == ExitCode.INTERRUPTED:
            return
        self.ended += 1
        self._before.setdefault(number, self._rounds[number])
        self._done[number] = self._rounds[number]
        if ending.code != ExitCode.DONE:
            self.failed[number] = ending.why
            self.write(f"bnpg: warning: run {self._names[number]} failed: {ending.why}")

    def write(self, text: str) -> None:
        """Say something that must not be missed."""
        print(text, file=sys.stderr, flush=True)

    @property
    def rounds_done(self) -> int:
        """Rounds of all runs that are done; a failed run asks for no more of them."""
        return sum(self._done.values())

    @property
    def rounds_total(self) -> int:
        """Rounds of all runs."""
        return sum(self._rounds.values())

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest would take at the speed so far; None before there is a speed."""
        fresh = sum(self._done[number] - before for number, before in self._before.items())
        if fresh <= 0:
            return None
        return (time.monotonic() - self._began) / fresh * (self.rounds_total - self.rounds_done)


@contextmanager
def watching(runs: Sequence[GridRun], finished: set[int], quiet: bool) -> Iterator[Tally]:
    """Show the progress of a sweep on stderr for as long as the context lasts."""
    if quiet:
        yield Tally(runs, finished)
    elif sys.stderr.isatty():
        bar = _Bar(runs, finished)
        with bar.progress:
            yield bar
    else:
        yield _Lines(runs, finished)


class _Lines(Tally):
    """A line every few seconds."""

    def __init__(self, runs: Sequence[GridRun], finished: set[int]) -> None:
        super().__init__(runs, finished)
        self._said = time.monotonic()

    def round_done(self, number: int, round_: int) -> None:
        super().round_done(number, round_)
        self._say()

    def run_ended(self, number: int, ending: Ending) -> None:
        super().run_ended(number, ending)
        self._say(at_once=self.ended == self.total)

    def _say(self, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._said >= EVERY:
            self._said = now
            left = self.seconds_left
            words = "" if left is None or self.ended == self.total else f", {duration(left)} left"
            self.write(
                f"runs {self.ended}/{self.total}, rounds {self.rounds_done}/{self.rounds_total}{words}"
            )


class _Bar(Tally):
    """A bar that moves with the rounds of all runs."""

    def __init__(self, runs: Sequence[GridRun], finished: set[int]) -> None:
        super().__init__(runs, finished)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True, expand=True)
        self._task = self.progress.add_task("", total=max(self.rounds_total, 1))
        self._draw()

    def round_done(self, number: int, round_: int) -> None:
        super().round_done(number, round_)
        self._draw()

    def run_ended(self, number: int, ending: Ending) -> None:
        super().run_ended(number, ending)
        self._draw()

    def write(self, text: str) -> None:
        self.progress.console.print(text, highlight=False, markup=False)

    def _draw(self) -> None:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        description = f"runs {self.ended}/{self.total}{failed}"
        self.progress.update(self._task, completed=self.rounds_done, description=description)
