"""An agent's own folder: who it is, how often it was started, and its theta of the last two rounds.

A checkpoint is `theta-ROUND-DIGEST.npy`, written to a temporary file, synced and renamed. The one before it
is kept, so that a round which not everybody has finished can be played again; older ones are removed when
nobody waits for it. A file whose bytes do not match the digest in its name is left out, before anything is
read from it. What is in it, `bnpg_agents.snapshot` says.
"""

import hashlib
import io
import json
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import next_count, write_atomically
from bnpg_protocol.wire.errors import StorageFailed
from numpy.typing import NDArray

from bnpg_agents.snapshot import Snapshot, unpacked
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.numerics import fingerprint

_NAME = re.compile(r"theta-(\d+)-([0-9a-f]{16})\.npy")


class CheckpointFolder:
    """State of one agent on disk.

    Parameters
    ----------
    path : Path
        Made if missing.
    fsync : bool
        Whether checkpoints must survive a crash of the machine, not only of the process.
    fence : Fence, optional
        Of the run folder that this one is a part of. Without one the first writing takes the folder over from
        whoever has it: an earlier life of the agent that is still there changes nothing in it any more.

    Raises
    ------
    StorageFailed
        If the folder cannot be made.
    """

    def __init__(self, path: Path, fsync: bool = True, fence: Fence | None = None) -> None:
        self.path = path
        self._fsync = fsync
        self._rounds: dict[Path, int] | None = None
        """The checkpoints there are, once somebody asked."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailed(f"cannot make {path}: {error.strerror}") from None
        self._own = fence is None
        self._fence = fence

    @property
    def fence(self) -> Fence:
        """What is written goes through it; the folder is taken over when that is first asked for."""
        if self._fence is None:
            self._fence = Fence.raise_in(self.path)
        return self._fence

    def close(self) -> None:
        """Write no more."""
        if self._own and self._fence is not None:
            self._fence.lower()

    def next_incarnation(self) -> int:
        """Count this start of the agent and return which one it is, from 1."""
        return next_count(self.path / "incarnation", self._fsync, self.fence)

    def identity(self) -> tuple[int, str] | None:
        """Return the agent's id and the digest of its experiment, or None; see `load_identity`."""
        return load_identity(self.path)

    def rounding_of_another_host(self) -> str:
        """Return the fingerprint of the host on which the thetas were computed; empty if it is this host's.

        Folders of earlier versions do not say.
        """
        file = self.path / "agent.json"
        try:
            began = json.loads(file.read_text()).get("numerics")
        except (OSError, ValueError, AttributeError):
            return ""  # `identity` says what is wrong with it
        return "" if began in (None, fingerprint()) else str(began)

    def adopt(self, agent: int, experiment: str) -> None:
        """Remember who this agent is, which experiment its thetas belong to, and how this host rounds."""
        content = json.dumps({"agent": agent, "experiment": experiment, "numerics": fingerprint()})
        write_atomically(self.path / "agent.json", content.encode(), self._fsync, self.fence)

    def write(self, round_: int, snapshot: Snapshot) -> None:
        """Make theta_round durable and keep everything else.

        Raises
        ------
        StorageFailed
            If it cannot be written; earlier checkpoints are untouched.
        """
        content = _npy(snapshot.packed())
        file = self.path / f"theta-{round_:08d}-{_digest(content)}.npy"
        write_atomically(file, content, self._fsync, self.fence)
        if self._rounds is not None:
            self._rounds[file] = round_

    def tear(self, round_: int, snapshot: Snapshot) -> None:
        """Leave what a death in the midst of `write` leaves: half a temporary file."""
        whole = snapshot.packed().tobytes()
        half = whole[: len(whole) // 2]
        Path(self.fence.draft(f"theta-{round_:08d}")).write_bytes(half)

    def archive(self) -> None:
        """Put the thetas of a run that is done aside: whoever starts from this folder next is a newcomer."""
        aside = self.path / "archive" / f"{len(list(self.path.glob('archive/*'))) + 1:04d}"
        try:
            aside.mkdir(parents=True)
            for file in [*(one for one, _, _ in _files(self.path)), self.path / "agent.json"]:
                if file.exists():
                    file.rename(aside / file.name)
        except OSError as error:
            raise StorageFailed(f"cannot archive into {aside}: {error.strerror}") from None

    def forget(self, before: int) -> None:
        """Remove the checkpoints of earlier rounds."""
        if self._rounds is None:
            self._rounds = {file: round_ for file, round_, _ in _files(self.path)}
        for file in [file for file, round_ in self._rounds.items() if round_ < before]:
            with suppress(OSError):  # one more file than needed does no harm
                self.fence.remove(file)
            del self._rounds[file]


def stored(folder: Path) -> dict[Path, int]:
    """Return the checkpoints in an agent's folder with their rounds, without a look at what they hold."""
    return {file: round_ for file, round_, _ in _files(folder)}


def load_identity(folder: Path) -> tuple[int, str] | None:
    """Return whose folder it is and the digest of the experiment, or None if it is nobody's yet.

    Raises
    ------
    StorageFailed
        If there are thetas and nothing says whose they are, or what says so cannot be read.
    """
    file = folder / "agent.json"
    if not file.exists():
        if _files(folder):
            # It is written before the first theta, so no crash leaves this behind.
            raise StorageFailed(
                f"{folder} holds thetas, but no agent.json that says whose they are and of which "
                "experiment: put it back, or remove the thetas to begin anew"
            )
        return None
    try:
        content = json.loads(file.read_text())
        return int(content["agent"]), str(content["experiment"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise StorageFailed(f"{file} is no identity of an agent: {error!r:.200}") from None


def load_latest(folder: Path) -> dict[int, FloatArray]:
    """Return the thetas in an agent's folder by round; empty if there is none."""
    return {round_: one.table for round_, one in load_held(folder).items()}


def load_held(folder: Path) -> dict[int, Snapshot]:
    """Return all that is stored in an agent's folder, by round: what it goes on with."""
    found: dict[int, Snapshot] = {}
    for file, round_, expected in _files(folder):
        try:
            content = file.read_bytes()
        except OSError:
            continue
        if _digest(content) == expected:
            found[round_] = unpacked(np.load(io.BytesIO(content), allow_pickle=False))
    return dict(sorted(found.items()))


def _npy(array: NDArray[Any]) -> bytes:
    """Return what `np.save` writes of an array in C order."""
    return _npy_header(array.shape, array.dtype) + array.tobytes()


@lru_cache(maxsize=2)
def _npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    header = io.BytesIO()
    described = {"shape": shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(dtype)}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _files(folder: Path) -> list[tuple[Path, int, str]]:
    if not folder.is_dir():
        return []
    matches = ((file, _NAME.fullmatch(file.name)) for file in sorted(folder.iterdir()))
    return [(file, int(match[1]), match[2]) for file, match in matches if match]
