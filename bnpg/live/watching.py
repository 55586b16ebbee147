"""Which view a person gets of a run: a screen on a terminal, plain lines elsewhere, nothing when quiet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from bnpg_coordinator.experiment import read_experiment
from bnpg_coordinator.loading import load_game

from bnpg.live.lines import Lines
from bnpg.live.observation import Observer, status_file
from bnpg.live.screen import Screen
from bnpg_math.dag.text import parse_dag


class Watcher(Protocol):
    """Looks on at a run."""

    def __call__(self, line: dict[str, Any], /) -> None:
        """Take in a line of the run record."""


@contextmanager
def watching(folder: Path, quiet: bool, stream: TextIO | None = None) -> Iterator[Watcher]:
    """Show a run on stderr for as long as the context lasts.

    Parameters
    ----------
    folder : Path
        Its run folder.
    quiet : bool
        Show nothing.
    stream : text file, optional
        Instead of stderr.
    """
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield lambda line: None  # noqa: ARG005
        return
    experiment = read_experiment(folder / "experiment.toml")
    if not stream.isatty():
        yield Lines(experiment.rounds, stream)
        return
    dag = parse_dag(experiment.dag, load_game(experiment, folder).agents)
    screen = Screen(Observer(dag, experiment.rounds, status_file(folder)), stream)
    with screen.live:
        yield screen
