"""The run record as `metrics.csv`: a row a round, an empty cell where nothing was measured."""

import csv
from pathlib import Path

from bnpg_coordinator.line import LEARNING, MEASURED, RETURNS, Line, fields_of

COLUMNS = ("round", "seconds", *RETURNS, *MEASURED, "step_size", *LEARNING)
"""The columns, always all and in this order, so that files of several runs can be put together."""


class CsvLog:
    """A CSV file beside the record, replaced at the start and then written along.

    Parameters
    ----------
    folder : Path
        The run folder.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "metrics.csv").open("w", newline="", encoding="utf-8")
        self._rows = csv.DictWriter(self._file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        self._rows.writeheader()

    def write(self, line: Line) -> None:
        """Add a row. Numbers are written so that they read back to the same bits."""
        self._rows.writerow(fields_of(line))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
