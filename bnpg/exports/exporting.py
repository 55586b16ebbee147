"""Keeping exports in step with a run: what is recorded already first, then every line as it comes.

An export is a convenience: if it cannot be written, the run goes on without it and says so at the end.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bnpg_coordinator.line import Line
from bnpg_protocol.process.fence import Fence

from bnpg.exports.csv_log import CsvLog
from bnpg.exports.tensorboard_log import TensorBoardLog
from bnpg.run_folder import RunFolder


class Export(Protocol):
    """Takes in the lines of a run record, each round once and in order."""

    def write(self, line: Line) -> None:
        """Add one line."""

    def close(self) -> None:
        """Leave whole files behind."""


_KINDS: dict[str, Callable[[Path, Fence], Export]] = {"csv": CsvLog, "tensorboard": TensorBoardLog}


class Exports:
    """All exports of one run.

    Parameters
    ----------
    run : RunFolder
    names : sequence of str
        What `--log` takes: `csv`, `tensorboard`.
    fence : Fence
        Of the run folder.
    """

    def __init__(self, run: RunFolder, names: Sequence[str], fence: Fence) -> None:
        self._run = run
        self._open: dict[str, Export] = {}
        self._last: Line | None = None
        """The last line taken in, not passed on yet: that of a run which goes on is written again."""
        self.troubles: list[str] = []
        for name in dict.fromkeys(names):
            self._attempt(
                name,
                lambda name=name: self._open.__setitem__(name, _KINDS[name](run.path, fence)),  # type: ignore[misc]
            )
        self.catch_up()

    def __call__(self, line: Line, /) -> None:
        """Take in a line; those of rounds that were played again are the same as before and passed over."""
        if self._last is not None and line.round > self._last.round:
            self._pass_on(self._last)
        if self._last is None or line.round >= self._last.round:
            self._last = line

    def catch_up(self) -> None:
        """Take in what the record holds and nobody has told."""
        for line in self._run.lines if self._open else ():
            self(line)

    def close(self) -> None:
        """Bring everything to the record's end."""
        self.catch_up()
        if self._last is not None:
            self._pass_on(self._last)
        for name, export in list(self._open.items()):
            self._attempt(name, export.close)
        self._open.clear()

    def _pass_on(self, line: Line) -> None:
        for name, export in list(self._open.items()):
            self._attempt(name, lambda export=export: export.write(line))  # type: ignore[misc]

    def _attempt(self, name: str, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self._open.pop(name, None)
            self.troubles.append(f"the {name} export could not be written: {error.strerror or error}")


@contextmanager
def exporting(run: RunFolder, names: Sequence[str], fence: Fence) -> Iterator[Exports]:
    """Export a run for as long as the context lasts; see :class:`Exports`."""
    exports = Exports(run, names, fence)
    try:
        yield exports
    finally:
        exports.close()
