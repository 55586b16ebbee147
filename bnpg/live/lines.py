"""Progress as plain lines, for logs and pipes: at most one a second."""

import time
from typing import Any, TextIO

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
        self._latest: dict[str, float] = {}
        self._began: tuple[float, int] | None = None
        self._said = time.monotonic()

    def __call__(self, line: dict[str, Any], /) -> None:
        """Take in a line of the run record."""
        now, round_ = time.monotonic(), int(line["round"])
        self._latest |= {key: value for key, value in line.items() if isinstance(value, int | float)}
        if self._began is None:
            self._began = (now, round_)
        if now - self._said < EVERY and round_ < self._rounds:
            return
        self._said = now
        words = "".join(f", {name} {value}" for name, value in in_words(self._latest))
        since, first = self._began
        left = ""
        if first < round_ < self._rounds:
            seconds = (now - since) / (round_ - first) * (self._rounds - round_)
            left = f", {seconds:.0f} s left"
        print(f"round {round_}/{self._rounds}{words}{left}", file=self._stream, flush=True)
