"""The one promise, on the disk: under faults a run leaves the files of its fault-free twin, and no others."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.plan import FaultPlan
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.certificate import FILE as CERTIFICATE_FILE
from bnpg.certified.checking import check_certificate
from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.proof.check import check_trace
from bnpg.lab.proof.reference import check_reference
from bnpg.lab.soak.schedule import Schedule
from bnpg.lab.soak.simulate import MOST_RESUMES
from bnpg.lab.testing.run_content import content
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import FAULTS_FILE, create_run_folder
from bnpg.run_folder import RunFolder
from bnpg.trace.heads import check_heads
from bnpg.trace.reading import Violation, read_trace

_OF_THE_PLAN = frozenset({FAULTS_FILE, "launch.toml"})


def broken_files(schedule: Schedule) -> str | None:
    """Run a schedule and its fault-free twin in memory, with all their files; return what is wrong, or None.

    A run that ends because something ran out is resumed. Compared are the record, the summary, certificate,
    curves, policy and thetas, and whatever else is left; the trace must be in order and that of the run
    recomputed.
    """
    with tempfile.TemporaryDirectory(prefix="bnpg-soak-") as place:
        found: list[dict[str, Any]] = []
        for name, plan in (("whole", None), ("struck", schedule.plan)):
            folder = Path(place) / name
            why = _played(folder, schedule.experiment, plan, schedule.relay and plan is not None)
            if why is not None:
                return f"{name}: {why}"
            left = content(folder)
            found.append({file: held for file, held in left.items() if file not in _OF_THE_PLAN})
        beside = sorted(one.name for one in Path(place).iterdir() if one.name not in ("whole", "struck"))
        if beside:
            return f"left beside the run: {beside}"
        whole, struck = found
        differ = sorted(
            file for file in whole.keys() | struck.keys() if whole.get(file, 0) != struck.get(file, 0)
        )
        return f"these files differ: {', '.join(differ)}" if differ else None


def _played(folder: Path, experiment: Experiment, plan: FaultPlan | None, relay: bool) -> str | None:
    """Make a run folder and bring it to its end; return what is wrong with it, or None."""
    given = msgspec.to_builtins(experiment)
    settings = LaunchSettings(launcher="memory", fsync=False, patience=3600.0, log_level="error")
    if relay:
        settings = msgspec.structs.replace(settings, relay="on")
    if plan is not None:
        settings = msgspec.structs.replace(settings, faults=FAULTS_FILE)
    run = create_run_folder(plan_experiment(given | {"trace": True}), settings, folder, plan)
    for _ in range(1 + MOST_RESUMES):
        with contextlib.redirect_stderr(None):
            ended = execute(run, settings, find_launcher("memory"), lambda _line: None)
        run = RunFolder(folder)
        if ended.outcome.code != ExitCode.STORAGE:
            break
    if ended.outcome.code != ExitCode.DONE or ended.warnings:
        return f"it ended with code {int(ended.outcome.code)}: {ended.outcome.why} {ended.warnings}"
    try:
        lives = read_trace(run.trace)
        proof = check_trace(lives, True)
        check_heads(folder, lives)
        check_reference(folder, proof)
    except Violation as violation:
        return f"its trace: {violation}"
    if (folder / CERTIFICATE_FILE).exists() and not check_certificate(folder).holds:
        return "its certificate does not hold"
    return None
