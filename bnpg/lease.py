"""The right to write into a run folder: one launcher has it at a time, and whoever lost it writes nothing.

A launcher locks the folder and raises a fence in it (`bnpg_protocol.process.fence`), through which it and its
processes write. The next launcher tears that fence down. So a process of a launcher that was killed, stopped
for an hour and woken again, finds that it can change nothing any more, however far it had come.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnpg_coordinator import run_files
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.recorder import seal

from bnpg.launchers.settings import TRACE_FOLDER
from bnpg.locks import lock_alone
from bnpg.named_place import unwritable
from bnpg_files.reading import opened
from bnpg_math.errors import InputError


class InUse(InputError):
    """Another process is running this run."""


@contextmanager
def lease(folder: Path) -> Iterator[Fence]:
    """Keep everybody else out of a run folder for as long as the context lasts.

    The operating system lets go of the lock when this process dies.

    Parameters
    ----------
    folder : Path
        The run folder.

    Yields
    ------
    Fence
        Through which the run's processes write.

    Raises
    ------
    InUse
        If another process is running this run.
    InputError
        If the folder is none of this user.
    StorageFailed
        If nothing can be written there, or the machine is short of something.
    """
    try:
        file = opened(folder / run_files.IDENTITY, change=True)
    except OSError as error:
        raise unwritable(f"{folder / run_files.IDENTITY} cannot be opened", error) from None
    with file:
        if not lock_alone(file):
            raise InUse(f"{folder} is in use: another bnpg process is running this run")
        fence = Fence.raise_in(folder)
        try:
            seal(folder / TRACE_FOLDER, fence)
            yield fence
        finally:
            fence.lower()
