"""Reading a run record while it is being written."""

from collections.abc import Callable
from pathlib import Path

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
        self._inode = path.stat().st_ino if path.exists() else 0
        self._position = path.stat().st_size if path.exists() else 0
        self._latest = max((line.round for line in read_lines(path)), default=-1)

    def read(self) -> bool:
        """Pass on the new lines; return whether there was a round not seen before."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        if status.st_ino != self._inode or status.st_size < self._position:
            # Rounds are played again: the record was replaced.
            self._inode, self._position = status.st_ino, 0
        if status.st_size == self._position:
            return False
        with opened(self._path) as file:
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
