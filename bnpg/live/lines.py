"""Progress as plain lines, for logs and pipes: at most one a second."""

import time
from contextlib import suppress
from typing import TextIO

from bnpg_coordinator.line import Line

from bnpg.durations import duration
from bnpg.live.numbers import in_words

EVERY = 1.0
"""Seconds between two lines."""


class Lines:
    """Writes where a run is.

    Parameters
    ----------
    rounds : int
        R.
    stream : text file
    """

    def __init__(self, rounds: int, stream: TextIO) -> None:
        self._rounds = rounds
        self._stream = stream
        self._latest = Line(0)
        self._began: tuple[float, int] | None = None
        self._written = time.monotonic()

    def __call__(self, line: Line, /) -> None:
        """Take in a line of the run record."""
        now, round_ = time.monotonic(), line.round
        self._latest = line.after(self._latest)
        if self._began is None:
            self._began = (now, round_)
        if now - self._written < EVERY and round_ < self._rounds:
            return
        self._written = now
        words = "".join(f", {name} {value}" for _, name, value in in_words(self._latest))
        since, first = self._began
        left = ""
        if first < round_ < self._rounds:
            seconds = (now - since) / (round_ - first) * (self._rounds - round_)
            left = f", {duration(round(seconds))} left"
        with suppress(BlockingIOError):  # in a program of others; the stream keeps it until there is room
            print(f"round {round_}/{self._rounds}{words}{left}", file=self._stream, flush=True)
