"""What an engine is to a sweep: a pool that runs tasks, in any order, anywhere."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bnpg_protocol.wire.exit_codes import ExitCode

LIVES = 3
"""Workers that one run may cost."""


class Listener(Protocol):
    """Looks on at a sweep."""

    def round_done(self, number: int, round_: int) -> None:
        """Take in that a run has recorded a round."""

    def run_ended(self, number: int, ending: "Ending") -> None:
        """Take in that a run has ended."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a run: its number, and what is sent."""

    number: int
    content: dict[str, Any]


@dataclass(frozen=True)
class Ending:
    """How a run of a sweep ended."""

    code: ExitCode
    why: str


@dataclass(frozen=True)
class Surroundings:
    """What a pool may need to know beside its tasks.

    Parameters
    ----------
    folder : Path
        Of the sweep, absolute.
    options : mapping from name to value
        Of the jobs of a batch system.
    address : str
        Of a cluster.
    """

    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)
    address: str = "auto"


class Lives:
    """Who has worked on each task and left it undone.

    Parameters
    ----------
    listener : Listener
        Is told of a task that is given up.
    worker : str
        What a worker is: `process`, `actor`.
    """

    def __init__(self, listener: Listener, worker: str) -> None:
        self._listener = listener
        self._worker = worker
        self._spent: Counter[int] = Counter()

    def left(self, task: Task, how: str) -> bool:
        """Count a worker that has left a task undone, in that way; return whether another one tries it."""
        self._spent[task.number] += 1
        if self._spent[task.number] < LIVES:
            return True
        why = f"its {self._worker} {how}, as did {LIVES - 1} before it"
        self._listener.run_ended(task.number, Ending(ExitCode.PEER_FAILED, why))
        return False


class Pool(Protocol):
    """Runs the tasks of a sweep."""

    def run(self, tasks: Sequence[Task]) -> bool:
        """Run all tasks, and tell the listener how each ended; return whether that was interrupted."""


MakePool = Callable[[int, Listener, Surroundings], Pool]
"""Returns a pool that runs so many tasks at a time."""
