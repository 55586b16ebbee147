"""The folder of one run: made whole or not at all, never overwritten, used by one launcher at a time.

::

    runs/NAME/
        experiment.toml    the resolved experiment: all that decides the result
        run.json           which run this is, and what made it
        launch.toml        how it is launched; never changes the result
        game.npz           where the experiment was given a game file
        faults.toml        the fault plan, where there is one
        initial.npz        where it was given an initial policy
        metrics.jsonl, status.json, summary.json, policy.npz     kept by the coordinator
        agents/agent-I/                                          kept by agent I
        curves.png                                               drawn after the run
"""

import errno
import fcntl
import json
import os
import platform
import re
import secrets
import shutil
import time
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tomli_w
from bnpg_coordinator.experiment import experiment_toml, read_experiment
from bnpg_protocol.process.faults.plan import FaultPlan, PlanError, plan_document, read_plan
from bnpg_protocol.wire.errors import StorageFailed

from bnpg import __version__
from bnpg.experiment_plan import ExperimentPlan
from bnpg.launchers.settings import LaunchSettings
from bnpg_math.arrays.solver_numerics import full_fingerprint
from bnpg_math.errors import InputError

FAULTS_FILE = "faults.toml"
RUNS = Path("runs")
"""Where runs go that are not told where."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


def create_run_folder(
    plan: ExperimentPlan, settings: LaunchSettings, out: Path | None, faults: FaultPlan | None = None
) -> Path:
    """Make the folder of a new run; it appears complete, or not at all.

    Parameters
    ----------
    plan : ExperimentPlan
    settings : LaunchSettings
    out : Path or None
        Where; `runs/GAME-TIMESTAMP` if None.
    faults : FaultPlan, optional
        Kept in the folder, so that the run can be resumed from there alone.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If it exists already or cannot be made there.
    StorageFailed
        If the disk is full or broken.
    """
    if out is not None and os.path.lexists(out):
        raise InputError(f"{out} exists already and is never overwritten; choose another --out")
    target = _default_name(plan.game.name) if out is None else out
    made: list[Path] = []
    try:
        for parent in reversed(target.parents):
            if not parent.exists():
                parent.mkdir(exist_ok=True)
                made.append(parent)
        temporary = target.parent / f".{target.name[:40]}.{secrets.token_hex(4)}.tmp"
        try:
            temporary.mkdir()
            _fill(temporary, plan, settings)
            if faults is not None:
                (temporary / FAULTS_FILE).write_text(tomli_w.dumps(plan_document(faults)))
            return _place(temporary, target, may_rename=out is None)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except BaseException as error:
        for parent in reversed(made):
            with suppress(OSError):
                parent.rmdir()
        if not isinstance(error, OSError):
            raise
        failure = StorageFailed if error.errno in _DISK else InputError
        raise failure(f"cannot make the run folder {target}: {error.strerror or error}") from None


def read_faults(path: Path) -> FaultPlan:
    """Read a fault plan.

    Raises
    ------
    InputError
        If the file cannot be read or is no plan; the text names the field.
    """
    try:
        return read_plan(path)
    except PlanError as error:
        raise InputError(str(error)) from None


def _default_name(game: str) -> Path:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", game).strip("-.")[:60] or "game"
    return RUNS / f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"


def _fill(folder: Path, plan: ExperimentPlan, settings: LaunchSettings) -> None:
    plan.write_files(folder)
    (folder / "experiment.toml").write_text(experiment_toml(plan.experiment), encoding="utf-8")
    launch = {key: value for key, value in msgspec.to_builtins(settings).items() if value is not None}
    (folder / "launch.toml").write_text(tomli_w.dumps(launch), encoding="utf-8")
    identity = {
        "run": secrets.token_hex(16),
        "game": plan.game.name,
        "game_digest": plan.game.digest,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "bnpg": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numerics": full_fingerprint(),
    }
    (folder / "run.json").write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")


def _place(temporary: Path, target: Path, may_rename: bool) -> Path:
    """Give a finished folder its name. A folder with content is never replaced by `rename`."""
    for attempt in range(1, 1000):
        name = target if attempt == 1 else target.with_name(f"{target.name}-{attempt}")
        try:
            if os.path.lexists(name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            temporary.rename(name)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or not may_rename:
                raise
        else:
            return name
    raise InputError(f"{target} and a thousand names like it exist already")


def check_run_folder(folder: Path) -> None:
    """Check that a folder holds a run.

    Raises
    ------
    InputError
        Saying what is missing.
    """
    if not folder.is_dir():
        what = "is no folder" if os.path.lexists(folder) else "does not exist"
        raise InputError(f"{folder} {what}; expected the folder of a run")
    for name in ("experiment.toml", "run.json"):
        if not (folder / name).is_file():
            raise InputError(f"{folder} is not the folder of a run: it has no {name}")
    read_experiment(folder / "experiment.toml")
    read_identity(folder)
    read_settings(folder)


def read_identity(folder: Path) -> dict[str, Any]:
    """Return what `run.json` says.

    Raises
    ------
    InputError
        If it does not say which run this is.
    """
    content = _read_json(folder / "run.json")
    if not isinstance(content.get("run"), str):
        raise InputError(f"{folder / 'run.json'} does not say which run this is")
    return content


def read_settings(folder: Path) -> LaunchSettings:
    """Return how the run was launched; the defaults if that is not recorded.

    Raises
    ------
    InputError
        If `launch.toml` is not usable.
    """
    path = folder / "launch.toml"
    try:
        return msgspec.toml.decode(path.read_bytes().removeprefix(BOM_UTF8), type=LaunchSettings)
    except FileNotFoundError:
        return LaunchSettings()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None


def read_summary(folder: Path) -> dict[str, Any] | None:
    """Return how the run ended, as far as it did."""
    path = folder / "summary.json"
    return _read_json(path) if path.exists() else None


def finished(folder: Path) -> bool:
    """Whether all rounds of the experiment are done, or as many as its certificate needed."""
    summary = read_summary(folder) or {}
    experiment = read_experiment(folder / "experiment.toml")
    # One that stopped early, or tried in vain, is finished as long as it is not given other rounds.
    tried = experiment.stop_at_epsilon > 0 and summary.get("rounds_total") == experiment.rounds
    return summary.get("state") == "done" and (summary.get("rounds") == experiment.rounds or tried)


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Keep other launchers out of a run folder; the operating system lets go when this process dies.

    Raises
    ------
    InputError
        If another process is running this run.
    """
    try:
        file = (folder / "run.json").open("rb+")
    except OSError as error:
        raise InputError(f"{folder / 'run.json'} cannot be opened: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder} is in use: another bnpg process is running this run") from None
        except OSError:
            pass  # a file system without locks: better to run than to refuse
        yield


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold one object")
    return content
