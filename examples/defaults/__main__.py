"""How near all defaults come to the best that exact ascent reaches, on every built-in game, as one command.

    python examples/defaults

For every game and family of graphs, exact ascent (backtracking, along the gradient and along the natural
gradient, whichever ends higher) says what can be reached from zeros, with which the defaults begin; then the
game is trained with nothing but its name, its graph and a seed. Writes `results.csv`, a line a run, and
prints a line a game and graph.

With `--beside`, exact ascent is asked a second time, once a seed, from logits a thousandth beside zeros.
Where agents are alike, zeros can be a point that exact ascent leaves by rounding alone, or on a ridge that it
keeps to only as long as no number differs in its last bit. What is reached beside it is what a method can
reach that has any noise at all, be it ever so little.
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

import numpy as np  # noqa: E402

import bnpg  # noqa: E402
from bnpg_math.dag import FAMILIES  # noqa: E402
from bnpg_math.dag.text import parse_dag  # noqa: E402
from bnpg_math.games.registry import BUILDERS  # noqa: E402
from bnpg_math.policies.softmax import initial_normal, theta_shape  # noqa: E402

BESIDE = 1e-3
"""Standard deviation of the logits beside zeros."""
ENOUGH = 0.02
"""Of the reference: a run that is nearer has done it."""
REFERENCE = {"mode": "exact", "rounds": 300, "step_size": "backtracking", "evaluate_every": 300}


@dataclass(frozen=True)
class Task:
    """One run; without a seed, the reference from zeros."""

    game: str
    dag: str
    seed: int | None
    optimizer: str = "auto"
    beside: bool = False
    """Whether it is exact ascent from beside zeros."""


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

        initial = {"initial": beside(task, Path(folder) / "beside.npz")} if task.beside else {}
        if task.seed is not None and not task.beside:
            # Evaluating less often changes no bit of the result.
            return Result(task, *value(0, seed=task.seed, evaluate_every=10**9, optimizer=task.optimizer))
        ways = [
            value(n, direction=way, **initial, **REFERENCE) for n, way in enumerate(("gradient", "natural"))
        ]
        return Result(task, max(found for found, _ in ways), sum(seconds for _, seconds in ways))


def beside(task: Task, path: Path) -> str:
    """Write a policy whose logits are a thousandth beside zeros, keyed by the seed; return its path."""
    game, parents = bnpg.game(task.game), parse_dag(task.dag, bnpg.game(task.game).agents).parents
    shapes = [theta_shape(game.states, game.actions, parents[agent], agent) for agent in range(game.agents)]
    assert task.seed is not None
    logits = [BESIDE * initial_normal(task.seed, agent, shape) for agent, shape in enumerate(shapes)]
    edges = np.array(
        [(parent, agent) for agent, seen in enumerate(parents) for parent in seen], dtype=np.int64
    )
    np.savez(path, edges=edges.reshape(-1, 2), **{f"theta_{agent}": one for agent, one in enumerate(logits)})
    return str(path)


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
        choices=("auto", "adam", "natural", "normalised"),
        help="instead of the default [auto]",
    )
    parser.add_argument(
        "--graphs", nargs="+", default=FAMILIES, choices=FAMILIES, metavar="DAG", help="[all]"
    )
    parser.add_argument("--beside", action="store_true", help="ask exact ascent beside zeros, too")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time [2]")
    parser.add_argument("--out", type=Path, default=Path("defaults"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    seeds: list[int | None] = [None, *range(options.seeds)]
    ways = (False, True) if options.beside else (False,)
    tasks = [
        Task(game, dag, seed, options.optimizer, beside=way)
        for game in options.games
        for dag in graphs(game)
        if dag in options.graphs
        for way in ways
        for seed in seeds[way:]
    ]
    print(f"{'game':16}{'graph':10}{'reference':>10}{'worst':>10}{'median':>10}  within 2 %  longest")
    done: list[Result] = []
    block = len(seeds) + (len(seeds) - 1) * options.beside
    with ProcessPoolExecutor(options.jobs) as pool:
        for result in pool.map(play, tasks):
            done.append(result)
            if len(done) % block == 0:
                reference, *runs = done[-block:]
                print(row(reference, runs[: options.seeds]), flush=True)
                if options.beside:
                    print(row(reference, runs[options.seeds :], "  exact, beside zeros"), flush=True)
    with (options.out / "results.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("game", "dag", "way", "seed", "value", "seconds"))
        for one in done:
            exact = one.task.beside or one.task.seed is None
            way = "exact, beside zeros" if one.task.beside else "exact" if exact else one.task.optimizer
            rows.writerow((one.task.game, one.task.dag, way, one.task.seed, one.value, one.seconds))


def row(reference: Result, runs: Sequence[Result], name: str = "") -> str:
    """Return the line of a game and a graph, or of another way to play them."""
    values = sorted(run.value for run in runs)
    enough = reference.value - ENOUGH * abs(reference.value)
    near = sum(value >= enough for value in values)
    name = name or f"{reference.task.game:16}{reference.task.dag}"
    return (
        f"{name:26}{reference.value:10.3f}{values[0]:10.3f}"
        f"{values[len(values) // 2]:10.3f}  {near:3} of {len(runs):<4} "
        f"{max(run.seconds for run in runs):6.1f} s"
    )


if __name__ == "__main__":
    main()
