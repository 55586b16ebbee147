"""Making the folder of a new run: it appears whole or not at all, and replaces nothing."""

import errno
import json
import os
import platform
import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tomli_w
from bnpg_coordinator import run_files
from bnpg_coordinator.experiment import experiment_toml
from bnpg_protocol.process.faults.links import about_nobody, check_links
from bnpg_protocol.process.faults.plan import FaultPlan, PlanError, plan_document, read_plan
from bnpg_protocol.process.files import sync_folder, write_atomically

from bnpg import __version__
from bnpg.experiment_plan import ExperimentPlan
from bnpg.launchers.settings import LaunchSettings
from bnpg.notices import warn
from bnpg.rounding import rounding_here
from bnpg.run_draft import draft
from bnpg.run_folder import RunFolder
from bnpg_files.names import check_sayable
from bnpg_math.dag import Dag
from bnpg_math.dag.routes import relayed
from bnpg_math.errors import InputError

FAULTS_FILE = "faults.toml"
RUNS = Path("runs")
"""Where runs go that are not told where."""


def _check_workers(plan: ExperimentPlan, settings: LaunchSettings) -> None:
    """Refuse workers for what they cannot step."""
    if plan.simulator is None:
        raise InputError(
            f"environment-workers step environments of others, and {plan.experiment.game} is a game"
        )
    from bnpg_coordinator.environments.workers import over_workers

    home = Path(plan.simulator.identity.folder)
    over_workers(plan.simulator.world, settings.environment_workers, plan.experiment, settings.patience, home)


def create_run_folder(
    plan: ExperimentPlan, settings: LaunchSettings, out: Path | None, faults: FaultPlan | None = None
) -> RunFolder:
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
    RunFolder

    Raises
    ------
    InputError
        If it exists already or cannot be made there.
    StorageFailed
        If the disk is full or broken.
    """
    if settings.environment_workers:
        _check_workers(plan, settings)
    check_faults(faults, plan.dag, settings, "the fault plan")
    check_free(out)
    target = chosen_folder(plan.name, out)
    check_sayable(plan.name, "the name of a game", InputError)
    check_sayable(target.absolute(), "the path of a run folder", InputError)
    with draft(target, f"cannot make the run folder {target}") as temporary:
        identity = _identity(plan)
        _fill(temporary, plan, settings, identity)
        if faults is not None:
            _write(temporary / FAULTS_FILE, tomli_w.dumps(plan_document(faults)), settings.fsync)
        run = RunFolder.of(temporary, plan, settings, identity)
        run.path = _place(temporary, target, out is None, settings.fsync)
        return run


def check_free(out: Path | None) -> None:
    """Refuse a name for a run folder that is taken.

    Raises
    ------
    InputError
    """
    if out is not None and os.path.lexists(out):
        raise InputError(f"{out} exists already and is never overwritten; choose another name")


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


def check_faults(faults: FaultPlan | None, dag: Dag, settings: LaunchSettings, where: str) -> None:
    """Refuse faults of links that a run does not have, because actions are handed on.

    Warns
    -----
    InputWarning
        Of those of processes that it does not have.

    Raises
    ------
    InputError
        Naming the fault, and what it is about.
    """
    for strange in () if faults is None else about_nobody(faults, dag.agents):
        warn(f"{where}: {strange}")
    if faults is not None and settings.relay == "on":
        try:
            check_links(faults, where, dag.edges, relayed(dag).edges)
        except PlanError as error:
            raise InputError(str(error)) from None


def chosen_folder(game: str, out: Path | None) -> Path:
    """Return where a run goes: where it was told to, or `runs/GAME-TIMESTAMP`."""
    if out is not None:
        return out
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", game).strip("-.")[:60] or "game"
    return RUNS / f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"


def _identity(plan: ExperimentPlan) -> dict[str, Any]:
    simulator: dict[str, Any] = {}
    if plan.simulator is not None:
        identity = msgspec.to_builtins(plan.simulator.identity)
        simulator = {"simulator": identity, "probe": plan.simulator.probe}
    return {
        "run": secrets.token_hex(16),
        "game": plan.name,
        "game_digest": plan.digest,
        "initial_digest": None if plan.initial is None else plan.initial.digest,
        "experiment": msgspec.to_builtins(plan.experiment),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "bnpg": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numerics": rounding_here(),
        **simulator,
    }


def _fill(folder: Path, plan: ExperimentPlan, settings: LaunchSettings, identity: dict[str, Any]) -> None:
    plan.write_files(folder)
    _write(folder / run_files.EXPERIMENT, experiment_toml(plan.experiment), settings.fsync)
    launch = {key: value for key, value in msgspec.to_builtins(settings).items() if value is not None}
    _write(folder / run_files.LAUNCH, tomli_w.dumps(launch), settings.fsync)
    _write(folder / run_files.IDENTITY, json.dumps(identity, indent=2) + "\n", settings.fsync)


def _write(path: Path, text: str, fsync: bool) -> None:
    write_atomically(path, text.encode(), fsync)


def _place(temporary: Path, target: Path, may_rename: bool, fsync: bool) -> Path:
    """Give a finished folder its name. A folder with content is never replaced by `rename`."""
    for attempt in range(1, 1000):
        name = target if attempt == 1 else target.with_name(f"{target.name}-{attempt}")
        try:
            if os.path.lexists(name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            temporary.rename(name)
            if fsync:
                sync_folder(name.parent)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or not may_rename:
                raise
        else:
            return name
    raise InputError(f"{target} and a thousand names like it exist already")
