"""The lines of a run record, as columns."""

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from bnpg_coordinator.line import Line, number
from msgspec import UNSET

from bnpg_math.arrays import FloatArray


@dataclass(frozen=True)
class Measurements:
    """What was measured, round by round.

    Parameters
    ----------
    lines : list of Line
        As in `metrics.jsonl`; not every line has every number.
    """

    lines: list[Line]

    def column(self, *keys: str) -> list[FloatArray]:
        """Return rounds and values of those lines of the record that have all the numbers.

        Parameters
        ----------
        keys : str
            Fields of a `Line`.

        Returns
        -------
        list of (K,) float
            The rounds, then a column a key.
        """
        rows = [(line.round, *(getattr(line, key) for key in keys)) for line in self.lines]
        whole = [row for row in rows if UNSET not in row and None not in row]
        return list(np.array(whole, dtype=np.float64).reshape(-1, 1 + len(keys)).T)

    @cached_property
    def last(self) -> Line:
        """The latest value of every number."""
        return reduce(lambda known, line: line.after(known), self.lines, Line(0))

    def latest(self, key: str) -> float | None:
        """Return the last recorded value of a field."""
        return number(getattr(self.last, key))

    @cached_property
    def optimum(self) -> float | None:
        """V*, if the run was ever evaluated."""
        evaluated = [line.optimum for line in self.lines if line.optimum is not None]
        return evaluated[-1] if evaluated else None

    @cached_property
    def elapsed(self) -> tuple[FloatArray, FloatArray]:
        """Rounds, and the seconds of wall time that had passed when each was recorded."""
        rounds, seconds = self.column("seconds")
        return rounds, np.cumsum(seconds)
