"""All runs of a sweep as one table, in CSV and Parquet.

The table is a function of the grid alone: it holds nothing of when, where and in how many attempts the runs
were made, so a sweep that was killed and continued writes the same bytes as one that was not.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bnpg_coordinator.experiment import Experiment, ExperimentSetting, experiment_settings
from bnpg_coordinator.loading import learning_rate
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.process.settings import Declared

from bnpg.evaluation.over_seeds import score, uniform_value
from bnpg.extras import lacks_extra
from bnpg.run_folder import RunFolder
from bnpg.sweeps import files
from bnpg.sweeps.folder import SweepFolder
from bnpg.sweeps.grid import Grid, GridRun
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game

INTEGER, NUMBER, TRUTH, TEXT = "int64", "float64", "bool", "string"
"""Types of columns, as Arrow calls them."""

_BESIDE: dict[str, dict[str, str]] = {
    "game": {"agents": INTEGER, "states": INTEGER},
    "dag": {"edges": INTEGER},
    "learning_rate": {"certified": TRUTH},
}
"""What the table says right behind a setting."""
_RESOLVED = {"learning_rate": NUMBER}
"""Settings whose column holds what they came to."""


def setting_columns(kind: type[Experiment] | None = None) -> dict[str, str]:
    """Return the columns of the settings, but for those that only decide what is measured and stored."""
    columns: dict[str, str] = {}
    for field in experiment_settings(kind):
        if field.setting.decides != "record":
            columns[field.name] = _RESOLVED.get(field.name, _kind(field))
            columns |= _BESIDE.get(field.name, {})
    return columns


def _kind(field: Declared[ExperimentSetting]) -> str:
    if field.words or field.is_open:
        return TEXT
    return TRUTH if field.is_flag else INTEGER if field.is_integer else NUMBER


COLUMNS: dict[str, str] = {
    "run": TEXT, "state": TEXT, **setting_columns(), "rounds_done": INTEGER,
    "value": NUMBER, "optimal_value": NUMBER, "uniform_value": NUMBER, "score": NUMBER,
    "optimality_gap": NUMBER, "nash_gap": NUMBER, "objective": NUMBER, "gradient_norm": NUMBER,
    "return_mean": NUMBER, "return_stderr": NUMBER, "policy_digest": TEXT, "why": TEXT,
}  # fmt: skip
"""The columns and their types, the same for every grid. `score` is 0 for acting at random and 1 for V*."""

_MEASURED = (
    "value", "optimal_value", "optimality_gap", "nash_gap", "objective", "gradient_norm", "return_mean",
    "return_stderr", "policy_digest",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A run of the table.

    Parameters
    ----------
    point : dict
        The fields that vary, as the grid gives them.
    cells : dict
        A value or None for each of `COLUMNS`.
    """

    point: dict[str, Any]
    cells: dict[str, Any]


def table_rows(grid: Grid, sweep: SweepFolder, why: dict[int, str]) -> list[Row]:
    """Read what all runs came to.

    Parameters
    ----------
    grid : Grid
    sweep : SweepFolder
    why : dict from number to str
        Of the runs that failed.
    """
    return [Row(run.point, _cells(run, grid, sweep, why.get(run.number, ""))) for run in grid.runs]


def write_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str], path: Path) -> None:
    """Write rows as CSV; numbers read back to the same bits, what is missing is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode(), fsync=False)


def write_table(rows: Sequence[Row], folder: Path) -> str:
    """Write `table.csv` and `table.parquet`; return why there is no such last file.

    Raises
    ------
    StorageFailed
        If they cannot be written.
    """
    cells = [row.cells for row in rows]
    write_csv(cells, list(COLUMNS), folder / files.TABLE)
    target = folder / files.PARQUET
    try:
        from arro3.core import Array, DataType, Table
        from arro3.io import write_parquet
    except ModuleNotFoundError as error:
        return f"{target} is not written: {lacks_extra(error) or error}"
    kinds = {
        INTEGER: DataType.int64(), NUMBER: DataType.float64(), TRUTH: DataType.bool(), TEXT: DataType.string()
    }  # fmt: skip
    arrays: dict[str, Any] = {
        name: Array([cell[name] for cell in cells], type=kinds[kind]) for name, kind in COLUMNS.items()
    }
    content = io.BytesIO()
    write_parquet(Table.from_pydict(arrays), content)
    write_atomically(target, content.getvalue(), fsync=False)
    return ""


def _cells(run: GridRun, grid: Grid, sweep: SweepFolder, why: str) -> dict[str, Any]:
    folder, experiment = sweep.run(run), run.experiment
    cells: dict[str, Any] = dict.fromkeys(COLUMNS)
    for field in experiment_settings():
        if field.name in COLUMNS:
            value = getattr(experiment, field.name)
            cells[field.name] = str(value) if COLUMNS[field.name] == TEXT and value is not None else value
    cells |= {
        "run": run.name,
        "state": "failed" if why else "missing",
        "game": grid.fields(run)["game"],
        "initial": grid.fields(run).get("initial", experiment.initial),
        "certified": experiment.learning_rate == "certified",
        "learning_rate": None,
        "why": why or None,
    }
    if not folder.exists():
        return cells
    try:
        found = RunFolder(folder)
        summary = found.summary or {}
        game = _game(experiment, folder) if found.simulator is None else None
        agents = found.agents if game is None else game.agents
        dag = parse_dag(experiment.dag, agents)
    except InputError as error:
        return cells | {"state": "failed", "why": why or str(error)}
    cells |= {
        "agents": agents,
        "states": None if game is None else game.states,
        "edges": len(dag.edges),
        "learning_rate": learning_rate(experiment, game, dag),
        "uniform_value": None if game is None else _uniform(game),
    }
    cells |= {name: summary.get(name) for name in _MEASURED}
    cells["rounds_done"] = summary.get("rounds")
    cells["state"] = summary.get("state", cells["state"])
    cells["score"] = score(cells["value"], cells["uniform_value"], cells["optimal_value"])
    return cells


def _game(experiment: Experiment, folder: Path) -> Game:
    name = experiment.game
    return _found(str(folder / name) if name.endswith(".npz") else name)


_found = lru_cache(maxsize=8)(find_game)


@lru_cache(maxsize=8)
def _uniform(game: Game) -> float:
    return uniform_value(game)
