"""The run on disk, as far as the coordinator keeps it: metrics, status, summary, gathered policy.

`metrics.jsonl` has one line a round, flushed before the round's signal goes out and synced before the next
line. When rounds are played again their lines are dropped first, so the file always reads as one undisturbed
run.

All of it is written through the fence of the run folder. The record, to which lines are appended, becomes a
new file with every life of the coordinator: an earlier life that still has it open appends to a file that has
no name any more.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path
from typing import Any

from bnpg_protocol.core import PYTHON
from bnpg_protocol.process.descriptors import patiently
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import next_count, sync_folder, write_atomically
from bnpg_protocol.wire.errors import StorageFailed
from msgspec import UNSET

from bnpg_coordinator import run_files
from bnpg_coordinator.critic_file import CriticFile
from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.line import GENESIS, RETURNS, Line, check_chain, decode_line, encode_line, fields_of
from bnpg_coordinator.sealed_folder import SealedFolder
from bnpg_files.reading import read_bytes
from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.errors import InputError
from bnpg_math.policies.network_file import JointPolicy, write_policy

STATUS_EVERY = 0.5
"""Seconds between two writings of the status."""


class RunRecord:
    """Files of one run.

    Parameters
    ----------
    folder : Path
        The run folder.
    fsync : bool
        Whether lines must survive a crash of the machine, not only of the process.
    fence : Fence
        Through which the files are written.
    """

    def __init__(self, folder: Path, fsync: bool, fence: Fence) -> None:
        self.fence = fence
        self.sealed = SealedFolder(folder, fsync, fence)
        """What is kept for the agents."""
        self._folder = folder
        self._fsync = fsync
        self._metrics = folder / run_files.RECORD
        self._file: BufferedWriter | None = None
        self._synced = True
        self._chain = GENESIS
        self._played: Line | None = None
        self._seconds = 0.0
        self._since = time.monotonic()
        self._status_at = 0.0
        self._critic = CriticFile(folder, fsync, fence)
        self.core = PYTHON
        """What does the coordinator's steps."""

    def next_generation(self) -> int:
        """Count this start of the coordinator and return which one it is, from 1."""
        return next_count(self._folder / run_files.GENERATION, self._fsync, self.fence)

    def rewind(self, round_: int) -> None:
        """Drop the lines of `round_` and later, and whatever a crash left half-written."""
        self.close()
        self._chain, self._seconds, self._played = GENESIS, 0.0, None
        kept = []
        try:
            for raw in whole_lines(self._metrics):
                line = decode_line(raw)
                if line.round < round_:
                    kept.append(raw + b"\n")
                    self._chain = GENESIS if line.chain is UNSET else line.chain
                    self._seconds += line.seconds or 0.0
                    self._remember(line)
            # Opened before it gets its name: whatever happens to the name, this process has its own file.
            draft = self.fence.draft(self._metrics.name)
            self._file = patiently(lambda: open(draft, "wb"))  # noqa: SIM115
            self._write(b"".join(kept))
            self.sync()
            os.replace(draft, self._metrics)
            if self._fsync:
                sync_folder(self._folder)
        except InputError as error:
            raise StorageFailed(f"cannot go on with {self._metrics}: {error}") from None
        except OSError as error:
            raise self._failed(error) from None

    def append(self, line: Line) -> Line:
        """Add a line with the seconds since the one before, which is durable by now; return it as written."""
        self.sync()
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        self._seconds += seconds
        content, written = encode_line(line, round(seconds, 6), self._chain)
        self._chain = written.chain or GENESIS
        try:
            self._write(content)
        except OSError as error:
            raise self._failed(error) from None
        self._remember(written)
        return written

    def sync(self) -> None:
        """Make the lines durable, if they must survive a crash of the machine."""
        if self._synced:
            return
        assert self._file is not None
        try:
            if self._fsync:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None
        self._synced = True

    def write_status(self, now: float, observe: Callable[[], dict[str, Any]], at_once: bool = False) -> None:
        """Write who is up and where the run is, unless that was done just now; only then it is observed."""
        if at_once or now - self._status_at >= STATUS_EVERY:
            self._status_at = now
            status = observe() | {"written": time.time()}
            self._replace(run_files.STATUS, json.dumps(status).encode(), fsync=False)

    def write_critic(self, round_: int, state: CriticState, keep: int | None = None) -> None:
        """Make the critic of a round durable; that of the round `keep` stays."""
        self._critic.write(round_, state, keep)

    def write_policy(self, policy: JointPolicy) -> None:
        """Write the policy that was gathered."""
        target = self._folder / run_files.POLICY
        draft = Path(self.fence.draft(run_files.POLICY))
        try:
            patiently(lambda: write_policy(policy, draft))
            draft.replace(target)
        except OSError as error:
            raise StorageFailed(f"cannot write {target}: {error.strerror or error}") from None

    def write_bindings(self, owners: dict[str, int]) -> None:
        """Write which public key was given which id."""
        from bnpg_protocol.process.security.credentials import BINDINGS_FILE, write_bindings

        write_bindings(self._folder / BINDINGS_FILE, owners, self.fence)

    def conclude(self, state: str, why: str, rounds: int, metrics: dict[str, Any]) -> None:
        """Write how the run ended, of which the whole record is durable."""
        self.sync()
        summary = {"state": state, "why": why, "rounds": rounds, "seconds": round(self._seconds, 6)} | metrics
        summary["core"] = self.core
        played = {} if self._played is None else fields_of(self._played)
        summary |= {key: played[key] for key in RETURNS if key in played}
        content = json.dumps(finite_fields(summary), indent=2, allow_nan=False)
        self._replace(run_files.SUMMARY, content.encode(), self._fsync)

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            with suppress(OSError):  # what a full disk did not take before, it need not take now
                self._file.close()
            self._file = None
            self._synced = True
        self._critic.close()

    def _remember(self, line: Line) -> None:
        if line.return_mean is not UNSET:
            self._played = line

    def _write(self, content: bytes) -> None:
        assert self._file is not None
        self._file.write(content)
        self._file.flush()
        self._synced = False

    def _replace(self, name: str, content: bytes, fsync: bool) -> None:
        write_atomically(self._folder / name, content, fsync, self.fence)

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(f"cannot write {self._metrics}: {error.strerror or error}")


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a record without their ends; one that was cut short by a crash is left out.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        return patiently(lambda: read_bytes(path)).split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def read_lines(path: Path) -> list[Line]:
    """Return the whole lines of a metrics file, in order; a torn last one is left out.

    Raises
    ------
    InputError
        Naming the first line that is no line of a record.
    """
    lines = []
    for number, raw in enumerate(whole_lines(path), 1):
        try:
            lines.append(decode_line(raw))
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return lines


def recorded_rounds(path: Path) -> int | None:
    """Return of how many rounds, from 0 on and without a gap, there are lines; None if one is no line.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    lines = whole_lines(path)
    try:
        if not lines or decode_line(lines[-1]).round == len(lines) - 1:
            return len(lines)
        return next(number for number, raw in enumerate(lines) if decode_line(raw).round != number)
    except InputError:
        return None  # whoever goes on with it says what is wrong


def check_record(path: Path) -> None:
    """Check that a record is as it was written, before a run goes on with it.

    Raises
    ------
    InputError
        Naming the file and the line that was changed.
    """
    try:
        check_chain(whole_lines(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
