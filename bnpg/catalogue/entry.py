"""One run in a list of many: what is known of it without opening its game."""

import os
import time
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec
from bnpg_coordinator import run_files
from bnpg_coordinator.experiment import read_experiment
from bnpg_coordinator.line import Line, decode_line, number
from bnpg_protocol.wire.errors import StorageFailed

from bnpg.run_documents import Identity, Status, Summary, read_document
from bnpg_files.reading import opened, why
from bnpg_math.errors import InputError

STALE = 10.0
"""Seconds after which a run that nobody writes to counts as left."""
TAIL = 1 << 16
"""Bytes at the end of a record that are read for the latest numbers."""
NUMBERS = (
    "rounds", "rounds_total", "seconds", "value", "optimal_value", "optimality_gap", "nash_gap",
    "return_mean", "return_stderr",
)  # fmt: skip
"""What is known of a run in numbers."""
RUNNING, LEFT, UNREADABLE = "running", "left", "unreadable"
"""States beside those of a summary: under way; no summary and no sign of life; not readable."""

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Entry:
    """A run as a row of a table.

    Parameters
    ----------
    name : str
        Where its folder is, from the folder of all runs.
    folder : Path
    state : str
        `done`, `interrupted`, `failed` and the like as its summary says; `running`, `left` or `unreadable`.
    why : str
        A sentence where the state needs one.
    created : str
        When it began, in UTC.
    settings : dict
        Its resolved experiment.
    numbers : dict
        Those of `NUMBERS`; None where one is not known.
    policy_digest : str or None
    """

    name: str
    folder: Path
    state: str
    why: str = ""
    created: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(NUMBERS))
    policy_digest: str | None = None

    def cell(self, column: str) -> Any:
        """Return what a column of the table says; None if it says nothing."""
        if column in self.numbers:
            return self.numbers[column]
        own = {"run": self.name, "state": self.state, "why": self.why, "created": self.created}
        return own[column] if column in own else self.settings.get(column)

    def document(self) -> dict[str, Any]:
        """Return the row as JSON has it; every number that is missing has its reason beside it."""
        document: dict[str, Any] = {
            "run": self.name, "run_dir": str(self.folder.absolute()), "state": self.state, "why": self.why,
            "created": self.created,
        }  # fmt: skip
        document |= {name: self.settings.get(name) for name in ("game", "dag", "mode", "seed")}
        for name, value in self.numbers.items():
            document[name] = value
            if value is None:
                document[f"{name}_reason"] = self.why if self.state == UNREADABLE else "not measured"
        return document | {"policy_digest": self.policy_digest, "settings": self.settings}


def read_entry(name: str, folder: Path) -> Entry:
    """Read what a run folder says; a folder that cannot be read is a row too, and says why."""
    try:
        experiment = read_experiment(folder / run_files.EXPERIMENT)
        identity = read_document(folder / run_files.IDENTITY, Identity)
        summary = _optional(folder / run_files.SUMMARY, Summary)
        latest = _latest(folder / run_files.RECORD)
    except FileNotFoundError as error:
        return Entry(name, folder, UNREADABLE, f"it has no {Path(error.filename).name}")
    except (InputError, StorageFailed) as error:
        return Entry(name, folder, UNREADABLE, str(error))
    except OSError as error:
        return Entry(name, folder, UNREADABLE, f"{folder} cannot be read: {why(error)}")
    settings = msgspec.to_builtins(experiment) | {"game": identity["game"]}
    document = {key: summary.get(key) for key in NUMBERS} if summary else {}
    measured = {
        "rounds": latest.round, "rounds_total": experiment.rounds, "optimal_value": latest.optimum,
        **{key: number(getattr(latest, key)) for key in NUMBERS[3:] if key != "optimal_value"},
    }  # fmt: skip
    numbers = {key: _number(document.get(key), measured.get(key)) for key in NUMBERS}
    state = str(summary["state"]) if summary else LEFT
    because = str(summary["why"]) if summary and state != "done" else ""
    digest = (summary or {}).get("policy_digest")
    created = str(identity.get("created", ""))
    return Entry(name, folder, state, because, created, settings, numbers, digest)


def lives(folder: Path, now: float | None = None) -> bool:
    """Whether somebody wrote to a run a moment ago, by its status and its record."""
    now = time.time() if now is None else now
    try:
        status = _optional(folder / run_files.STATUS, Status)
    except InputError:
        status = None
    written = [float(status["written"])] if status and status.get("phase") != "ended" else []
    for name in (run_files.RECORD, run_files.IDENTITY):
        try:
            written.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    return any(now - at < STALE for at in written)


def stamps(folder: Path) -> tuple[Stamp | None, ...]:
    """Return what changes when one of the files that make a row is written."""
    return tuple(
        _stamp(folder / name)
        for name in (run_files.IDENTITY, run_files.EXPERIMENT, run_files.SUMMARY, run_files.RECORD)
    )


def _number(*candidates: Any) -> float | None:
    for value in candidates:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def _optional(path: Path, kind: Any) -> dict[str, Any] | None:
    try:
        return read_document(path, kind)
    except FileNotFoundError:
        return None


def _latest(path: Path) -> Line:
    """Return the latest numbers of a record, from its end only: of many runs each may be long."""
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL))
            lines = file.read(TAIL).split(b"\n")[:-1]
    except FileNotFoundError:
        return Line(0)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {why(error)}") from None
    # The first line may be cut by where reading began, the last by a crash.
    whole = lines[1:] if size > TAIL else lines
    try:
        return reduce(lambda known, line: line.after(known), map(decode_line, whole), Line(0))
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
