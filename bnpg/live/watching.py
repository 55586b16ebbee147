"""Which view a person gets of a run: a screen on a terminal, plain lines elsewhere, nothing when quiet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from bnpg_coordinator.line import Line

from bnpg.live.lines import Lines
from bnpg.live.observation import ObservedRun
from bnpg.live.screen import Screen
from bnpg.run_folder import RunFolder


class Watcher(Protocol):
    """Looks on at a run."""

    def __call__(self, line: Line, /) -> None:
        """Take in a line of the run record."""


@contextmanager
def watching(run: RunFolder, quiet: bool, stream: TextIO | None = None) -> Iterator[Watcher]:
    """Show a run on stderr for as long as the context lasts.

    Parameters
    ----------
    run : RunFolder
    quiet : bool
        Show nothing.
    stream : text file, optional
        Instead of stderr.
    """
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield lambda line: None  # noqa: ARG005
        return
    experiment = run.experiment
    if not stream.isatty():
        yield Lines(experiment.rounds, stream)
        return
    screen = Screen(ObservedRun(run.dag, experiment.rounds, lambda: run.status), stream)
    with screen.live:
        yield screen
