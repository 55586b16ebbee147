"""Runs as the raw data of marl-eval: environment, task, algorithm, run, step, metrics.

The layout is that of "Towards a Standardised Performance Evaluation Protocol for Cooperative MARL" (Gorsane
et al., NeurIPS 2022), of which marl-eval is the implementation. It takes tables without holes: all runs of a
task measured the same things equally often. What does not fit is refused here, where it can be said why.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bnpg_coordinator.line import Line, number

from bnpg.named_place import made, write_named
from bnpg.report.recorded_run import RecordedRun
from bnpg_math.errors import InputError

METRICS = {
    "return": "return_mean",
    "value": "value",
    "nash_gap": "nash_gap",
    "optimality_gap": "optimality_gap",
}
"""What marl-eval gets to see, and the field of the record it is."""
ABSOLUTE = "absolute_metrics"
BUILT_IN = "bnpg"
"""The environment whose tasks are the games and simulators that come along, and game files."""

Steps = dict[str, dict[str, Any]]


def as_raw_data(runs: Sequence[RecordedRun], algorithm: str | None = None) -> dict[str, Any]:
    """Return runs in the layout of marl-eval.

    Parameters
    ----------
    runs : sequence of RecordedRun
        Done.
    algorithm : str, optional
        What to call all of them; None: each by its update, policy and graph.

    Raises
    ------
    InputError
        If a run is not done or measured nothing, if two are one run of one algorithm, or if runs of a task
        measured different things, or not equally often.
    """
    data: dict[str, Any] = {}
    first: dict[tuple[str, str], tuple[RecordedRun, Steps]] = {}
    for run in runs:
        steps = _steps(run)
        place = _place(run)
        _check_alike(run, steps, *first.setdefault(place, (run, steps)))
        name = algorithm or _algorithm(run)
        seeds = data.setdefault(place[0], {}).setdefault(place[1], {}).setdefault(name, {})
        seed = f"seed_{run.experiment.seed}"
        if seed in seeds:
            raise InputError(
                f"{run.folder}: {name} with seed {run.experiment.seed} is there already: "
                "expected one run a seed; --algorithm names runs that differ in other settings"
            )
        seeds[seed] = steps
    return data


def write_raw_data(data: dict[str, Any], path: Path) -> None:
    """Write it as JSON.

    Raises
    ------
    InputError
        If there is such a file, or there can be none of that name, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    if path.exists():
        raise InputError(f"{path} exists; nothing is overwritten")
    with made(path.parent):
        write_named(path, (json.dumps(data, indent=1) + "\n").encode())


def _place(run: RecordedRun) -> tuple[str, str]:
    """Return environment and task of a run: what its world is called up to a colon, and behind it."""
    name = run.experiment.game
    if name.endswith(".npz"):  # as it is in the folder; it had a name
        name = str(run.identity["game"])
    kind, colon, rest = name.partition(":")
    return (kind, rest) if colon else (BUILT_IN, name)


def _algorithm(run: RecordedRun) -> str:
    experiment = run.experiment
    return f"{experiment.update} {experiment.policy} {experiment.dag}"


def _steps(run: RecordedRun) -> Steps:
    """Return what was measured of one run, step by step, and in the end."""
    if run.summary is None or run.summary["state"] != "done":
        raise InputError(f"{run.folder} is not done: bnpg resume {run.folder}")
    of_steps = [name for name, field in METRICS.items() if any(_has(line, field) for line in run.lines)]
    whole = [line for line in run.lines if all(_has(line, METRICS[name]) for name in of_steps)]
    if not of_steps or not whole:
        raise InputError(f"{run.folder} measured nothing: train with --evaluate-every 10")
    steps: Steps = {}
    for k, line in enumerate(whole):
        measured = {name: [number(getattr(line, METRICS[name]))] for name in of_steps}
        steps[f"step_{k}"] = {"step_count": line.round * _steps_of_a_round(run)} | measured
    steps[ABSOLUTE] = {name: [_last(run, name)] for name in of_steps}
    return steps


def _has(line: Line, field: str) -> bool:
    return isinstance(getattr(line, field), float)


def _last(run: RecordedRun, name: str) -> float:
    """Return what the final policy is worth; of a return what it earns by drawing, as during training."""
    assert run.summary is not None
    found = run.summary.get("drawn_return_mean") if name == "return" else None
    if found is None:
        found = run.summary.get(METRICS[name])
    if found is None:
        found = next(
            number(getattr(line, METRICS[name])) for line in reversed(run.lines) if _has(line, METRICS[name])
        )
    assert found is not None
    return float(found)


def _steps_of_a_round(run: RecordedRun) -> int:
    """Return how many steps all lanes make in a round, expected where episodes end by chance; 1 if exact."""
    experiment = run.experiment
    if experiment.mode == "exact":
        return 1
    if run.run.simulator is not None:
        return experiment.lanes * experiment.steps
    if experiment.horizon == "geometric":
        return round(experiment.lanes / (1.0 - run.game.gamma))
    return experiment.lanes * int(experiment.horizon)


def _check_alike(run: RecordedRun, steps: Steps, other: RecordedRun, expected: Steps) -> None:
    measured, before = sorted(steps[ABSOLUTE]), sorted(expected[ABSOLUTE])
    if measured != before:
        raise InputError(
            f"{run.folder} measured {', '.join(measured)}, {other.folder} {', '.join(before)}: "
            "marl-eval takes runs of a task that measured the same"
        )
    if len(steps) != len(expected):
        raise InputError(
            f"{run.folder} measured {len(steps) - 1} times, {other.folder} {len(expected) - 1} times: "
            "marl-eval takes runs of a task that measured equally often"
        )
