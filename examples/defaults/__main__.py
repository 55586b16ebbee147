"""How near all defaults come to the best that exact ascent reaches, on every built-in game, as one command.

    python examples/defaults

For every game and family of graphs, exact ascent from zeros (backtracking, along the gradient and along the
natural gradient) says what can be reached; then the game is trained with nothing but its name, its graph and
a seed. Writes `results.csv`, a line a run, and prints a line a game and graph.
"""

import os

# One BLAS thread. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import csv  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from concurrent.futures import ProcessPoolExecutor  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import bnpg  # noqa: E402
from bnpg_math.dag import FAMILIES  # noqa: E402
from bnpg_math.dag.text import parse_dag  # noqa: E402
from bnpg_math.games.registry import BUILDERS  # noqa: E402

ENOUGH = 0.02
"""Of the reference: a run that is nearer has done it."""
REFERENCE = {"mode": "exact", "rounds": 300, "step_size": "backtracking", "evaluate_every": 300}


@dataclass(frozen=True)
class Task:
    """One run; without a seed, the reference."""

    game: str
    dag: str
    seed: int | None
    optimizer: str = "auto"


@dataclass(frozen=True)
class Result:
    """What it came to."""

    task: Task
    value: float
    seconds: float


def play(task: Task) -> Result:
    """Train once."""
    with tempfile.TemporaryDirectory() as folder:

        def value(number: int, **settings: Any) -> tuple[float, float]:
            run = bnpg.train(task.game, dag=task.dag, out=Path(folder) / str(number), **settings)
            return run.summary["value"], run.summary["seconds"]

        if task.seed is not None:
            # Evaluating less often changes no bit of the result.
            return Result(task, *value(0, seed=task.seed, evaluate_every=10**9, optimizer=task.optimizer))
        ways = [value(n, direction=way, **REFERENCE) for n, way in enumerate(("gradient", "natural"))]
        return Result(task, max(found for found, _ in ways), sum(seconds for _, seconds in ways))


def graphs(game: str) -> list[str]:
    """Return the families whose graphs differ for so many agents."""
    agents, found = bnpg.game(game).agents, {}
    for name in FAMILIES:
        found.setdefault(parse_dag(name, agents).edges, name)
    return list(found.values())


def main() -> None:
    """Play everything and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="of every game and graph [10]")
    parser.add_argument("--games", nargs="+", default=sorted(BUILDERS), metavar="GAME", help="[all]")
    parser.add_argument(
        "--optimizer",
        default="auto",
        choices=("auto", "adam", "natural"),
        help="instead of the default [auto]",
    )
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time [2]")
    parser.add_argument("--out", type=Path, default=Path("defaults"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    seeds: list[int | None] = [None, *range(options.seeds)]
    tasks = [
        Task(game, dag, seed, options.optimizer)
        for game in options.games
        for dag in graphs(game)
        for seed in seeds
    ]
    print(f"{'game':16}{'graph':10}{'reference':>10}{'worst':>10}{'median':>10}  within 2 %  longest")
    done: list[Result] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for result in pool.map(play, tasks):
            done.append(result)
            if len(done) % len(seeds) == 0:
                print(row(done[-len(seeds) :]), flush=True)
    with (options.out / "results.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("game", "dag", "seed", "value", "seconds"))
        for one in done:
            seed = "reference" if one.task.seed is None else one.task.seed
            rows.writerow((one.task.game, one.task.dag, seed, one.value, one.seconds))


def row(results: Sequence[Result]) -> str:
    """Return the line of a game and a graph."""
    reference, *runs = results
    values = sorted(run.value for run in runs)
    enough = reference.value - ENOUGH * abs(reference.value)
    near = sum(value >= enough for value in values)
    return (
        f"{reference.task.game:16}{reference.task.dag:10}{reference.value:10.3f}{values[0]:10.3f}"
        f"{values[len(values) // 2]:10.3f}  {near:3} of {len(runs):<4} "
        f"{max(run.seconds for run in runs):6.1f} s"
    )


if __name__ == "__main__":
    main()
