"""The run record as `metrics.csv`: a row a round, an empty cell where nothing was measured."""

import csv
import os
from contextlib import suppress
from pathlib import Path

from bnpg_coordinator.line import LEARNING, MEASURED, RETURNS, Line, fields_of
from bnpg_protocol.process.fence import Fence

FILE = "metrics.csv"
COLUMNS = ("round", "seconds", *RETURNS, *MEASURED, "step_size", *LEARNING)
"""The columns, always all and in this order, so that files of several runs can be put together."""


class CsvLog:
    """A CSV file beside the record, replaced at the start and then written along.

    What stood in its place is not written to: it may be a link, or have a second name elsewhere.

    Parameters
    ----------
    folder : Path
        The run folder.
    fence : Fence
        Of the run folder.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(self, folder: Path, fence: Fence) -> None:
        draft = fence.draft(FILE)
        self._file = open(draft, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._rows = csv.DictWriter(self._file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        try:
            self._rows.writeheader()
            self._file.flush()
            os.replace(draft, folder / FILE)
        except BaseException:
            with suppress(OSError):  # what could not be written it tries to write once more
                self._file.close()
            raise

    def write(self, line: Line) -> None:
        """Add a row. Numbers are written so that they read back to the same bits."""
        self._rows.writerow(fields_of(line))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
