"""The lines of a run record, as columns."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnpg_math.arrays import FloatArray


@dataclass(frozen=True)
class Record:
    """What was measured, round by round.

    Parameters
    ----------
    lines : list of dict
        As in `metrics.jsonl`; not every line has every key.
    """

    lines: list[dict[str, Any]]

    def column(self, *keys: str) -> list[FloatArray]:
        """Return rounds and values of those lines of the record that have all the keys.

        Returns
        -------
        list of (K,) float
            The rounds, then a column a key.
        """
        chosen = [line for line in self.lines if all(line.get(key) is not None for key in keys)]
        columns = [np.array([line["round"] for line in chosen], dtype=np.float64)]
        return columns + [np.array([line[key] for line in chosen], dtype=np.float64) for key in keys]

    def latest(self, key: str) -> tuple[int, float] | None:
        """Return the last recorded value of a key with its round."""
        rounds, values = self.column(key)
        return (int(rounds[-1]), float(values[-1])) if len(rounds) else None

    @cached_property
    def optimum(self) -> float | None:
        """V*, if the run was ever evaluated."""
        _, value, gap = self.column("value", "optimality_gap")
        return float(value[-1] + gap[-1]) if len(gap) else None

    @cached_property
    def elapsed(self) -> tuple[FloatArray, FloatArray]:
        """Rounds, and the seconds of wall time that had passed when each was recorded."""
        rounds, seconds = self.column("seconds")
        return rounds, np.cumsum(seconds)
