"""Exact evaluation against plain einsum, side by side in one run: `python benchmarks/exact`.

Two amounts of work: evaluating the policy (the joint policy, V, Q, d), and a whole exact round (that, the
shared signal W, and every agent's gradient). Both sides take turns, so that whatever else the machine does
meets both alike; a line shows medians in ms, and how many times as fast we are: the median and the middle 80
percent of the pairwise ratios. Einsum is left out where its tensor does not fit. The Nash gap is that of all
agents.
"""

import os

# One BLAS thread, as in runs. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from einsum_twin import EinsumTwin  # noqa: E402

from bnpg_math.arrays import FloatArray  # noqa: E402
from bnpg_math.arrays.joint import joint_policy  # noqa: E402
from bnpg_math.dag import FAMILIES, Dag  # noqa: E402
from bnpg_math.exact.equilibrium import nash_gap  # noqa: E402
from bnpg_math.exact.values import Values, evaluate  # noqa: E402
from bnpg_math.games.game import Game  # noqa: E402
from bnpg_math.games.registry import game as find_game  # noqa: E402
from bnpg_math.policies.softmax import initial_normal, policy, theta_shape  # noqa: E402
from bnpg_math.theory.stationarity import gradients  # noqa: E402

SIZES = (2, 3, 5, 8, 10)
LAMBDA = 0.1
REQUIRED = {2: 1.0, 3: 1.0, 5: 2.0, 8: 10.0, 10: 10.0}
"""How many times as fast as einsum evaluations are meant to be."""


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def start(game: Game, dag: Dag) -> list[FloatArray]:
    return [
        policy(initial_normal(0, agent, theta_shape(game.states, game.actions, dag.parents[agent], agent)))
        for agent in range(game.agents)
    ]


def compare(agents: int, family: str, seconds: float, memory: float) -> dict[str, Any]:
    """Measure one size."""
    game = find_game(f"coordination(agents={agents})")
    dag = FAMILIES[family](agents)
    tables = start(game, dag)

    def evaluation() -> Values:
        return evaluate(game, joint_policy(tables, dag))

    def whole() -> list[FloatArray]:
        return gradients(game, dag, tables, LAMBDA, evaluation())

    work: dict[str, Callable[[], object]] = {
        "evaluate": evaluation,
        "round": whole,
        "nash": lambda: nash_gap(game, dag, tables),
    }
    needed = 8.0 * game.states**2 * game.joint_actions
    if needed <= memory:
        twin = EinsumTwin(game.transition.to_dense(), game.reward, game.initial, game.gamma, dag.parents)
        assert np.abs(twin.evaluate(tables).Q - evaluation().Q).max() < 1e-9
        for theirs, mine in zip(twin.gradients(tables, twin.evaluate(tables), LAMBDA), whole(), strict=True):
            assert np.abs(theirs - mine).max() < 1e-9
        work["einsum evaluate"] = lambda: twin.evaluate(tables)
        work["einsum round"] = lambda: twin.gradients(tables, twin.evaluate(tables), LAMBDA)
    samples: dict[str, list[float]] = {name: [] for name in work}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(samples["round"]) < 3:
        for name, call in work.items():
            samples[name].append(timed(call))
    found: dict[str, Any] = {"agents": agents, "dag": family, "einsum_bytes": needed}
    found["turns"] = len(samples["round"])
    found["ms"] = {name: 1e3 * float(np.median(times)) for name, times in samples.items()}
    found["times_as_fast"] = {
        name: [
            float(np.quantile(np.array(samples[f"einsum {name}"]) / samples[name], q))
            for q in (0.5, 0.1, 0.9)
        ]
        for name in ("evaluate", "round")
        if f"einsum {name}" in samples
    }
    return found


def line(found: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [f"{found['agents']:>6}", f"{found['dag']:<9}"]
    for name in ("evaluate", "round"):
        theirs = found["ms"].get(f"einsum {name}")
        cells += ["       -" if theirs is None else f"{theirs:>8.3f}", f"{found['ms'][name]:>8.3f}"]
        if theirs is None:
            cells.append(f"{'needs ' + format(found['einsum_bytes'] / 1e9, '.1f') + ' GB':<18}")
        else:
            middle, low, high = found["times_as_fast"][name]
            cells.append(f"{f'{middle:.1f} ({low:.1f} to {high:.1f})':<18}")
    return " ".join([*cells, f"{found['ms']['nash']:>9.2f}"])


def page(results: list[dict[str, Any]], ten: tuple[float, float] | None) -> str:
    """The results as a table for the documents."""
    head = ["agents", "DAG"]
    for work in ("evaluation", "round"):
        head += [f"{work}: einsum", "ours", "times as fast"]
    head.append("Nash gap")
    rows = [
        "<!-- Generated by `python benchmarks/exact --train --page FILE`. -->",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    for one in results:
        cells = [str(one["agents"]), one["dag"]]
        for name in ("evaluate", "round"):
            theirs = one["ms"].get(f"einsum {name}")
            cells.append(
                f"needs {one['einsum_bytes'] / 1e9:.1f} GB" if theirs is None else f"{theirs:.3f} ms"
            )
            cells.append(f"{one['ms'][name]:.3f} ms")
            times = one["times_as_fast"].get(name)
            cells.append("" if times is None else "{:.1f} ({:.1f} to {:.1f})".format(*times))
        cells.append(f"{one['ms']['nash']:.2f} ms")
        rows.append(f"| {' | '.join(cells)} |")
    rows += [
        "",
        "Medians, and in brackets the middle 80 percent of the pairwise ratios. The Nash gap is that of",
    ]
    rows.append("all agents.")
    if ten is not None:
        rows.append(
            f"Training ten agents with all edges (three rounds, two evaluations) took {ten[1]:.2f} GB."
        )
    return "\n".join(rows) + "\n"


def ten_agents() -> tuple[float, float]:
    """Train ten agents, complete DAG, in a process of its own; return seconds and peak memory in GB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "bnpg", "train", "coordination(agents=10)", "--mode", "exact"),
            *("--dag", "complete", "--rounds", "3", "--launcher", "memory", "--evaluate-every", "3"),
            *("--out", str(Path(folder) / "run"), "--quiet", "--json"),
        ]
        seconds = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--dags", nargs="+", default=("complete", "empty"), choices=sorted(FAMILIES))
    parser.add_argument("--seconds", type=float, default=6.0, help="per size and DAG [6]")
    parser.add_argument("--memory", type=float, default=4.0, help="GB that einsum may take [4]")
    parser.add_argument(
        "--train", action="store_true", help="also train ten agents, and say how much memory it takes"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table for the documents there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    options = parser.parse_args()
    print(f"{'':16} evaluation: einsum, ours, times     round: einsum, ours, times           Nash gap")
    results = []
    for agents in options.sizes:
        for family in options.dags:
            found = compare(agents, family, options.seconds, 1e9 * options.memory)
            results.append(found)
            print(line(found), flush=True)
    document: dict[str, object] = {"results": results}
    ten = None
    if options.train:
        ten = seconds, gigabytes = ten_agents()
        document["ten_agents"] = {"seconds": seconds, "peak_gb": gigabytes}
        print(
            f"ten agents, complete DAG, 3 rounds, 2 evaluations: {seconds:.1f} s, {gigabytes:.2f} GB at most"
        )
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.page:
        options.page.write_text(page(results, ten))
    short = [
        one
        for one in results
        if one["times_as_fast"] and one["times_as_fast"]["evaluate"][0] < REQUIRED.get(one["agents"], 1.0)
    ]
    for one in short:
        print(f"slower than meant: {one['agents']} agents, {one['dag']}", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
