"""A grid of experiments, as a file gives it and as a list of runs.

::

    [base]                       # what all runs share: fields of an experiment, one value each
    mode = "exact"
    rounds = 100

    [grid]                       # what varies: every combination is a run, the last field fastest
    game = ["climbing", "penalty"]
    dag = ["empty", "0-1"]
    seed = [0, 1, 2, 3]

    [random]                     # instead of a grid, or before it: points that are drawn
    samples = 20
    learning-rate = {from = 0.01, to = 1, scale = "log"}
    optimizer = ["adam", "normalised"]
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from bnpg_coordinator.experiment import Experiment, experiment_from, experiment_settings
from bnpg_protocol.process.settings import unknown

from bnpg.experiment_plan import ExperimentPlan, plan_experiment
from bnpg.sweeps.random_search import KEY, SAMPLES, Search, search_of
from bnpg_files.quoting import LONGEST, quoted
from bnpg_files.reading import read_toml
from bnpg_math.errors import InputError

FIELDS = tuple(field.key for field in experiment_settings())
"""What may stand in each table."""
LARGEST = 100_000
"""Most runs of one grid."""


@dataclass(frozen=True)
class GridRun:
    """One combination.

    Parameters
    ----------
    number : int
        From 0, in the order of the grid.
    name : str
        Of its folder.
    point : dict
        The fields that vary, with this run's values.
    experiment : Experiment
        Resolved.
    digest : str
        Of the experiment and of the content of the files it names.
    """

    number: int
    name: str
    point: dict[str, Any]
    experiment: Experiment
    digest: str


@dataclass(frozen=True)
class Grid:
    """A checked grid.

    Parameters
    ----------
    folder : Path
        From which relative paths start.
    base, axes : dict
        The tables `base` and `grid`.
    runs : tuple of GridRun
    search : Search or None
        What the table `random` asks for.
    """

    folder: Path
    base: dict[str, Any]
    axes: dict[str, list[Any]]
    runs: tuple[GridRun, ...]
    search: Search | None = None

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The tables as they are written down and compared; `random` only if there is one."""
        drawn = {} if self.search is None else {"random": self.search.document}
        return {"base": self.base, "grid": self.axes, **drawn}

    @property
    def varying(self) -> list[str]:
        """The fields that are not the same in all runs: first those that are drawn."""
        return [*(self.search.fields if self.search else ()), *self.axes]

    def fields(self, run: GridRun) -> dict[str, Any]:
        """Return the fields of a run as a person would write them."""
        return self.base | run.point


def read_grid(path: Path, samples: int | None = None) -> Grid:
    """Read a grid and check each of its runs.

    Parameters
    ----------
    path : Path
        A TOML file.
    samples : int, optional
        Points of a random search, instead of what the file says.

    Raises
    ------
    InputError
        One line that names the field, or the combination that cannot be run, and why.
    """
    try:
        document = read_toml(path, dict[str, Any], InputError)
    except FileNotFoundError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    return grid_of(document, path.parent, str(path), samples)


def grid_of(document: Mapping[str, Any], folder: Path, where: str, samples: int | None = None) -> Grid:
    """Check a grid and each of its runs.

    Parameters
    ----------
    document : mapping
        The tables `base`, `grid` and `random`, as a grid file has them.
    folder : Path
        From which relative paths start.
    where : str
        How it is named where something is wrong.
    samples : int, optional
        As of :func:`read_grid`.

    Raises
    ------
    InputError
        As of :func:`read_grid`.
    """
    base, axes, search = _tables(document, where, samples)
    combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    drawn = [{}] if search is None else search.points(where)
    points = [point | combination for point in drawn for combination in combinations]
    width = len(str(len(points) - 1))
    # The seed never decides whether an experiment can be run, and games may be large: check each once.
    checked: dict[str, tuple[ExperimentPlan, str]] = {}
    runs = []
    for number, point in enumerate(points):
        fields = base | point
        key = json.dumps(fields | {"seed": 0}, sort_keys=True)
        try:
            if key not in checked:
                plan = plan_experiment(fields, folder)
                checked[key] = (plan, _digest_of_files(plan))
            experiment = experiment_from(
                msgspec.to_builtins(checked[key][0].experiment) | {"seed": fields.get("seed", 0)}
            )
        except InputError as error:
            raise InputError(f"{where}, run {number} ({described(point)}): {error}") from None
        digest = experiment_identity(experiment, checked[key][1])
        runs.append(GridRun(number, _name(number, width, point), point, experiment, digest))
        checked = {key: checked[key]} if len(checked) > 64 else checked
    return Grid(folder, base, axes, tuple(runs), search)


def plan_of(fields: dict[str, Any], folder: Path, digest: str) -> ExperimentPlan:
    """Plan one run of a grid anew, in the process that is going to run it.

    Raises
    ------
    InputError
        If it is no longer the experiment that the grid was checked for.
    """
    plan = plan_experiment(fields, folder)
    if experiment_identity(plan.experiment, _digest_of_files(plan)) != digest:
        raise InputError("a file that the experiment names has changed since the sweep began")
    return plan


def described(point: dict[str, Any]) -> str:
    """Return the varying fields in words."""
    return ", ".join(f"{field} {value}" for field, value in point.items())


def experiment_identity(experiment: Experiment, files: str) -> str:
    """Return the digest of a resolved experiment and of its files' content."""
    content = msgspec.json.encode([experiment, files], order="sorted")
    return hashlib.sha256(content).hexdigest()


def _digest_of_files(plan: ExperimentPlan) -> str:
    initial = "" if plan.initial is None else f"{plan.initial.dag.edges} {plan.initial.digest}"
    return f"{plan.digest} {initial}"


def _tables(
    document: Mapping[str, Any], where: str, samples: int | None
) -> tuple[dict[str, Any], dict[str, list[Any]], Search | None]:
    """Return the tables, with every field and the kind of its value checked."""
    for name, table in document.items():
        if name not in ("base", "grid", "random") or not isinstance(table, dict):
            raise InputError(
                f"{where}: expected the tables [base], [grid] and [random] alone, got {quoted(name)}"
            )
        for field in table:
            if field not in FIELDS and not (name == "random" and field in (SAMPLES, KEY)):
                shown = field if len(field) <= LONGEST else quoted(field)
                raise InputError(f"{where}: [{name}] {shown}: {unknown(field.replace('_', '-'), FIELDS)}")
    base, axes, random = (document.get(name, {}) for name in ("base", "grid", "random"))
    if not axes and not random:
        raise InputError(f"{where}: expected a table [grid] with lists of values, such as seed = [0, 1, 2]")
    if samples is not None and not random:
        raise InputError(f"{where}: has no table [random] of which samples could be drawn")
    for field, value in base.items():
        if isinstance(value, list):
            raise InputError(f"{where}: base.{field} must be one value; a list belongs in [grid]")
    tables = {"base": base, "grid": axes, "random": random}
    for (one, fields), (other, others) in itertools.combinations(tables.items(), 2):
        for field in fields:
            if field in others:
                raise InputError(f"{where}: {field} is in both [{one}] and [{other}]")
    for field, values in axes.items():
        if not isinstance(values, list):
            raise InputError(
                f"{where}: grid.{field} must be a list, got {quoted(values)}; one value belongs in [base]"
            )
        _check_values(where, f"grid.{field}", values)
    for field, values in random.items():
        if isinstance(values, list):
            _check_values(where, f"random.{field}", values)
    search = search_of(random, where, samples) if random else None
    if "game" not in base | axes | random:
        raise InputError(f"{where}: no game; expected game in [base] or [grid]")
    count = math.prod(len(values) for values in axes.values()) * (search.samples if search else 1)
    if count > LARGEST:
        table = "[random] with [grid]" if search else "[grid]"
        raise InputError(f"{where}: {table} makes {count} runs, expected at most {LARGEST}")
    return base, axes, search


def _check_values(where: str, name: str, values: list[Any]) -> None:
    if not values:
        raise InputError(f"{where}: {name} must not be an empty list")
    seen = set()
    for value in values:
        if not isinstance(value, str | int | float):
            raise InputError(f"{where}: {name} must hold plain values, got {quoted(value)}")
        if (isinstance(value, bool), value) in seen:
            raise InputError(f"{where}: {name} holds {quoted(value)} twice")
        seen.add((isinstance(value, bool), value))


def _name(number: int, width: int, point: dict[str, Any]) -> str:
    """Return a folder's name that sorts in the order of the grid and tells people what is in it."""
    parts = [
        re.sub(r"[^A-Za-z0-9.-]+", "-", f"{field}-{value}").strip("-.") for field, value in point.items()
    ]
    return "_".join([f"{number:0{width}d}", *parts])[:100]
