"""Reading a run record while it is being written."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bnpg_coordinator.line import Line, decode_line
from bnpg_coordinator.run_record import read_lines

from bnpg_files.reading import opened


class Tail:
    """The new lines of a file, as they come.

    Parameters
    ----------
    path : Path
        The file; need not exist yet. Lines that are there already are passed over.
    on_line
        Called with every new whole line.
    """

    def __init__(self, path: Path, on_line: Callable[[Line], object]) -> None:
        self._path = path
        self._on_line = on_line
        self._file: BinaryIO | None = None
        self._position = 0
        self._latest = max((line.round for line in read_lines(path)), default=-1)
        file = self._look()
        if file is not None:
            self._position = file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> bool:
        """Pass on the new lines; return whether there was a round not seen before."""
        file = self._look()
        if file is None:
            return False
        file.seek(self._position)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        self._position += whole
        fresh = False
        for raw in content[:whole].splitlines():
            line = decode_line(raw)
            if line.round > self._latest:
                self._latest = line.round
                fresh = True
                self._on_line(line)
        return fresh

    def _look(self) -> BinaryIO | None:
        """Return the file, or the one that is in its place now; None if there is none.

        It stays open, because the number of one that is gone may be given to the next.
        """
        try:
            status = self._path.stat()
            now = None if self._file is None else os.fstat(self._file.fileno())
            if now is None or not os.path.samestat(status, now) or status.st_size < self._position:
                # Rounds are played again: the record was replaced.
                self.close()
                self._file, self._position = opened(self._path), 0
        except FileNotFoundError:
            return None
        return self._file
