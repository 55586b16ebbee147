"""Sealed checkpoints of the agents on disk, which nobody here can read: the two newest of each.

`sealed/agent-3.0` holds that of an even round, `sealed/agent-3.1` that of an odd one: a new one takes the
place of that of two rounds before, in one step, and never more is kept.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import make_folder, write_atomically
from bnpg_protocol.wire.addresses import agent_of, process_name
from bnpg_protocol.wire.errors import OrderViolation, StorageFailed
from bnpg_protocol.wire.sealed import round_of

from bnpg_coordinator.sealed_checkpoints import Kept
from bnpg_files.reading import read_bytes, why
from bnpg_math.errors import InputError

FOLDER = "sealed"
"""In the run folder."""
_FILE = re.compile(r"(agent-\d+)\.([01])")


class SealedFolder:
    """What is kept for the agents of a run.

    Parameters
    ----------
    run : Path
        The run folder.
    fsync : bool
        Whether it must survive a crash of the machine, not only of the process.
    fence : Fence
        Through which the files are written.
    """

    def __init__(self, run: Path, fsync: bool, fence: Fence) -> None:
        self.path = run / FOLDER
        self._fsync = fsync
        self._fence = fence
        self._made = False

    def write(self, agent: int, round_: int, sealed: bytes) -> None:
        """Keep one, in place of that of two rounds before.

        Raises
        ------
        StorageFailed
            If it cannot be written; what was there is untouched.
        """
        try:
            if not (self._made and self.path.exists()):
                make_folder(self.path, self._fsync, self._fence)
                self._made = True
        except OSError as error:
            raise StorageFailed(f"cannot make {self.path}: {error.strerror}") from None
        write_atomically(self._file(agent, round_), sealed, self._fsync, self._fence)

    def drop(self, agent: int, round_: int) -> None:
        """Keep one no longer."""
        with suppress(OSError):  # one more file than needed does no harm
            self._fence.remove(self._file(agent, round_))

    def _file(self, agent: int, round_: int) -> Path:
        return self.path / f"{process_name(agent)}.{round_ % 2}"


def read_sealed(run: Path, largest: int) -> Kept:
    """Return what is kept in a run folder.

    Parameters
    ----------
    run : Path
        The run folder.
    largest : int
        Bytes that one may have; 0: none is kept.

    Raises
    ------
    InputError
        Naming the file that is none.
    """
    kept: dict[int, dict[int, bytes]] = {}
    folder = run / FOLDER
    if not largest or not folder.is_dir():
        return kept
    for name in sorted(os.listdir(folder)):
        match = _FILE.fullmatch(name)
        agent = None if match is None else agent_of(match[1])
        if match is None or agent is None:
            continue
        try:
            content = read_bytes(folder / name, largest)
            round_ = round_of(content)
        except OSError as error:
            raise InputError(
                f"{folder / name} cannot be read: {why(error)}; without it the run goes on"
            ) from None
        except OrderViolation as error:
            raise InputError(f"{folder / name}: {error}; without this file the run goes on") from None
        if round_ % 2 != int(match[2]):
            parity = ("even", "odd")[int(match[2])]
            raise InputError(
                f"{folder / name}: expected a sealed checkpoint of an {parity} round, got round {round_}; "
                "without this file the run goes on"
            )
        kept.setdefault(agent, {})[round_] = content
    return kept
