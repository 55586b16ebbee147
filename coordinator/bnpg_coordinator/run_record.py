"""The run on disk, as far as the coordinator keeps it: metrics, status, summary, gathered policy.

`metrics.jsonl` has one line a round, flushed before the round's signal goes out. When rounds are played again
their lines are dropped first, so the file always reads as one undisturbed run.
"""

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path
from typing import Any

from bnpg_protocol.process.descriptors import patiently
from bnpg_protocol.process.files import next_count, write_atomically
from bnpg_protocol.wire.errors import StorageFailed

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
    """

    def __init__(self, folder: Path, fsync: bool) -> None:
        self._folder = folder
        self._fsync = fsync
        self._metrics = folder / "metrics.jsonl"
        self._file: BufferedWriter | None = None
        self._seconds = 0.0
        self._since = time.monotonic()
        self._status_at = 0.0

    def next_generation(self) -> int:
        """Count this start of the coordinator and return which one it is, from 1."""
        return next_count(self._folder / "generation", self._fsync)

    def rewind(self, round_: int) -> None:
        """Drop the lines of `round_` and later, and whatever a crash left half-written."""
        if self._file is not None:
            self._file.close()
        lines = [line for line in read_lines(self._metrics) if line["round"] < round_]
        content = b"".join(_encoded(line) for line in lines)
        if not self._metrics.exists() or self._metrics.read_bytes() != content:
            write_atomically(self._metrics, content, self._fsync)
        self._seconds = sum(float(line.get("seconds") or 0.0) for line in lines)
        try:
            self._file = patiently(lambda: self._metrics.open("ab"))
        except OSError as error:
            raise StorageFailed(f"cannot write {self._metrics}: {error.strerror}") from None

    def append(self, line: dict[str, Any]) -> dict[str, Any]:
        """Add a line with the seconds since the one before; return it as written."""
        assert self._file is not None
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        self._seconds += seconds
        written = line | {"seconds": round(seconds, 6)}
        try:
            self._file.write(_encoded(written))
            self._file.flush()
            if self._fsync:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageFailed(f"cannot write {self._metrics}: {error.strerror}") from None
        return written

    def write_status(self, now: float, look: Callable[[], dict[str, Any]], at_once: bool = False) -> None:
        """Write who is up and where the run is, unless that was done just now; only then it is looked at."""
        if at_once or now - self._status_at >= STATUS_EVERY:
            self._status_at = now
            status = look() | {"written": time.time()}
            write_atomically(self._folder / "status.json", json.dumps(status).encode(), fsync=False)

    def conclude(self, state: str, why: str, rounds: int, metrics: dict[str, Any]) -> None:
        """Write how the run ended."""
        summary = {"state": state, "why": why, "rounds": rounds, "seconds": round(self._seconds, 6)} | metrics
        last = read_lines(self._metrics)
        for key in ("return_mean", "return_stderr"):
            values = [line[key] for line in last if key in line]
            if values:
                summary[key] = values[-1]
        write_atomically(self._folder / "summary.json", json.dumps(summary, indent=2).encode(), self._fsync)

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            with suppress(OSError):  # what a full disk did not take before, it need not take now
                self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a metrics file, in order; a torn last one is left out."""
    if not path.exists():
        return []
    lines = []
    for raw in patiently(path.read_bytes).split(b"\n")[:-1]:
        try:
            line = json.loads(raw)
        except ValueError:
            break
        lines.append(line)
    return lines


def _encoded(line: dict[str, Any]) -> bytes:
    """Return a line as JSON; what is not finite is null, with the reason beside it."""
    finite: dict[str, Any] = {}
    for key, value in line.items():
        if isinstance(value, float) and not math.isfinite(value):
            finite |= {key: None, f"{key}_reason": f"{value} is not finite"}
        else:
            finite[key] = value
    return json.dumps(finite).encode() + b"\n"
