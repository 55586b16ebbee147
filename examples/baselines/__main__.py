"""The baselines on one table: rounds to a gap, and what each method is guaranteed, as one command.

    python examples/baselines

Every method starts from the uniform team, is exact and has no barrier. For each it is measured after how many
rounds the Nash gap and the optimality gap are at most 2 % of the range of returns, which optimality gap it
has when both are or it stands still, and how many rounds are proved to suffice. Writes `baselines.csv` and
`baselines.png`.
"""

import argparse
import csv
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from bnpg_coordinator.experiment import Experiment
from methods import METHODS, Method

import bnpg
from bnpg.algorithm import learn
from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings
from bnpg.run_creation import create_run_folder
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.graph_iteration import graph_policy_iteration
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game

STILL = 30
"""Rounds in which a team that stands still does not move."""
CHOSEN = 60
"""Rounds of chosen steps, which need a tenth of that."""
GAMES = ("climbing", "penalty", "stag_hunt", "coordination(agents=2)")
COLUMNS = ("game", "method", "dag", "nash", "optimality", "ends_at", "promised", "of", "guarantee")


@dataclass(frozen=True)
class Outcome:
    """What a method came to in a game; rounds are infinite where a gap was not reached."""

    game: str
    method: Method
    nash: float
    optimality: float
    ends_at: float
    promised: float


Gaps = tuple[float, float]
"""Nash and optimality."""


def gaps_by_round(name: str, game: Game, method: Method, most: int) -> Iterator[Gaps]:
    """Yield both gaps after every round."""
    if method.fields is not None and "step_size" in method.fields:
        yield from _of_a_run(name, method, min(most, CHOSEN))
        return
    best = float(game.initial @ optimal_value(game).V)
    dag = parse_dag(method.dag, game.agents)
    for tables in _teams(name, game, dag, method, most):
        values = evaluate(game, joint_policy(tables, dag))
        yield nash_gap(game, dag, tables, values).gap, max(0.0, best - values.value)


def _teams(name: str, game: Game, dag: Dag, method: Method, most: int) -> Iterator[Sequence[FloatArray]]:
    if method.fields is None:
        for stage in graph_policy_iteration(game, dag):
            yield stage.tables
        return
    experiment = Experiment(game=name, dag=method.dag, mode="exact", rounds=most, **method.fields)
    for team in learn(experiment):
        yield [policy.table for policy in team]


def _of_a_run(name: str, method: Method, rounds: int) -> Iterator[Gaps]:
    """Yield both gaps as the record of a run has them: step sizes are chosen by its coordinator."""
    asked = {field.replace("_", "-"): value for field, value in (method.fields or {}).items()}
    fields = {"game": name, "dag": method.dag, "mode": "exact", "rounds": rounds, "evaluate-every": 1} | asked
    settings = LaunchSettings(launcher="memory", fsync=False)
    with tempfile.TemporaryDirectory(prefix="bnpg-baselines-") as scratch:
        folder = create_run_folder(plan_experiment(fields), settings, Path(scratch) / "run")
        execute(folder, settings, find_launcher("memory"), lambda _line: None, curves=False)
        lines = list(bnpg.load_run(folder.path).lines)
    yield from ((line["nash_gap"], line["optimality_gap"]) for line in lines)


def outcome(name: str, method: Method, share: float, most: int) -> Outcome:
    """Run a method in a game."""
    game = bnpg.game(name)
    epsilon = share * game.reward_range / (1.0 - game.gamma)
    gaps: list[Gaps] = []
    for pair in gaps_by_round(name, game, method, most):
        gaps.append(pair)
        before = gaps[-STILL][1] if len(gaps) > STILL else math.inf
        # Both are reached, or an equilibrium is, and nothing moves any more.
        if max(pair) <= epsilon or (pair[0] <= epsilon and abs(before - pair[1]) <= 1e-6 * epsilon):
            break

    def first(which: int) -> float:
        return next((float(round_) for round_, pair in enumerate(gaps) if pair[which] <= epsilon), math.inf)

    promised = method.promise(game, parse_dag(method.dag, game.agents), epsilon)
    return Outcome(name, method, first(0), first(1), gaps[-1][1], promised)


def draw(outcomes: list[Outcome], games: list[str], most: int, file: Path) -> None:
    """Draw a panel a game, a row a method: rounds to both gaps, and what is promised."""
    matplotlib.use("agg")
    figure, axes = plt.subplots(
        1, len(games), figsize=(3.1 * len(games) + 2.2, 4.4), sharey=True, squeeze=False
    )
    labels = [f"{method.name} ({method.dag})" for method in METHODS]
    for axis, name in zip(axes[0], games, strict=True):
        for one in (found for found in outcomes if found.game == name):
            row = METHODS.index(one.method)
            for rounds, marker, colour in ((one.nash, "o", "#0b5394"), (one.optimality, "s", "#c24a0a")):
                there = math.isfinite(rounds)
                axis.plot(
                    max(rounds, 0.7) if there else most, row, marker if there else ">", color=colour, ms=6,
                    mfc=colour if there else "none",
                )  # fmt: skip
            if math.isfinite(one.promised):
                axis.plot(one.promised, row, "|", color="#6b7280", ms=12, mew=2)
        axis.set_xscale("log")
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("rounds")
        axis.grid(axis="x", color="#e3e6eb", lw=0.8)
    axes[0][0].set_yticks(range(len(METHODS)), labels, fontsize=8)
    axes[0][0].invert_yaxis()
    figure.suptitle(
        "Rounds to a Nash gap (blue) and an optimality gap (orange) of 2 % of the range of returns\n"
        "bar: proved to suffice; open triangle: not reached",
        fontsize=10,
    )
    figure.tight_layout()
    figure.savefig(file, dpi=110, metadata={"Software": None})


def number(value: float) -> str:
    """Write a number of rounds or a gap."""
    return (
        "-"
        if math.isinf(value)
        else f"{value:.3g}"
        if value != int(value) or value > 99999
        else f"{value:.0f}"
    )


def main() -> None:
    """Make the table and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2000, help="at the most, a run [2000]")
    parser.add_argument("--share", type=float, default=0.02, help="of the range of returns [0.02]")
    parser.add_argument("--games", nargs="+", default=list(GAMES), metavar="GAME")
    parser.add_argument("--out", type=Path, default=Path("baselines"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    outcomes = [
        outcome(name, method, options.share, options.rounds) for name in options.games for method in METHODS
    ]
    rows = [
        [
            one.game, one.method.name, one.method.dag, number(one.nash), number(one.optimality),
            number(round(one.ends_at, 6)), number(one.promised), one.method.gap, one.method.guarantee,
        ]
        for one in outcomes
    ]  # fmt: skip
    with (options.out / "baselines.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    widths = [max(len(row[column]) for row in [COLUMNS, *rows]) for column in range(len(COLUMNS))]
    for row in [COLUMNS, *rows]:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    draw(outcomes, options.games, options.rounds, options.out / "baselines.png")


if __name__ == "__main__":
    main()
