"""Is it faster to begin with a large lambda and to lower it? Annealing against a fixed one, as one command.

    python examples/annealing

Exact updates (3) on the complete DAG from zeros, until the tight Lemma 3 is met with the lambda that
certifies an optimality gap of 5 % of the range of returns, lambda = epsilon / M. Annealed runs begin with the
range of returns for lambda and divide it as soon as the lemma is met with the present one. Prints the median
over games and seeds of how many times the rounds of a fixed lambda they take, for steps of certified size and
chosen ones.
"""

import argparse
import csv
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bnpg_coordinator.oracle import Oracle

import bnpg
from bnpg_math.dag import Dag, complete
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.games.game import Game
from bnpg_math.learning.step_size import GROWTH, backtrack, longest_step
from bnpg_math.policies.softmax import log_policy, theta_shape
from bnpg_math.theory.constants import sizes, smoothness

GAMES = ("climbing", "penalty", "stag_hunt")
FACTORS = (2.0, 10.0)
STEPS = ("certified", "chosen")


def schedule(game: Game, goal: float, factor: float) -> Iterator[float]:
    """Yield falling lambdas, the last one `goal`."""
    weight = game.reward_range / (1.0 - game.gamma)
    while weight > goal:
        yield weight
        weight /= factor
    yield goal


def needed(game: Game, dag: Dag, weights: Iterator[float], steps: str, most: int) -> float:
    """Return the updates until the tight Lemma 3 is met with one lambda after the other."""
    thetas = [
        np.zeros(theta_shape(game.states, game.actions, dag.parents[agent], agent))
        for agent in range(game.agents)
    ]
    rounds, chosen = 0, 1.0
    for weight in weights:
        oracle, certified = Oracle(game, dag, weight), 1.0 / smoothness(sizes(game, dag), weight)
        while True:
            log_tables = [log_policy(theta) for theta in thetas]
            if oracle.certifies(log_tables, "optimality", math.inf):
                break
            if rounds == most:
                return math.inf
            climb = oracle.climb(log_tables, natural=False)
            eta = certified
            if steps == "chosen":
                first = min(max(GROWTH * chosen, certified), longest_step(climb.direction))
                eta, _ = backtrack(climb.objective_after, climb.objective, climb.slope, first, certified)
                chosen = eta
            thetas = [theta + eta * way for theta, way in zip(thetas, climb.direction, strict=True)]
            rounds += 1
    return float(rounds)


def main() -> None:
    """Compare on all games and seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=0.05, help="of the range of returns [0.05]")
    parser.add_argument("--seeds", type=int, default=10, help="random games [10]")
    parser.add_argument("--rounds", type=int, default=50_000, help="at the most, a run [50000]")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="also write every ratio")
    options = parser.parse_args()
    names = [
        *GAMES,
        *(
            f"random(states=2, agents=2, actions=2, branching=2, gamma=0.5, seed={seed})"
            for seed in range(options.seeds)
        ),
    ]
    rows: list[tuple[str, str, float, float, float]] = []
    for name in names:
        game = bnpg.game(name)
        dag, M = complete(game.agents), mismatch(game).M
        goal = options.share * game.reward_range / (1.0 - game.gamma) / M
        for steps in STEPS:
            fixed = needed(game, dag, iter([goal]), steps, options.rounds)
            for factor in FACTORS:
                annealed = needed(game, dag, schedule(game, goal, factor), steps, options.rounds)
                rows.append((name, steps, factor, fixed, annealed))
    for steps in STEPS:
        for factor in FACTORS:
            pairs = [row[3:] for row in rows if row[1:3] == (steps, factor)]
            ratios = [
                annealed / fixed for fixed, annealed in pairs if 0 < fixed < math.inf and annealed < math.inf
            ]
            low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
            print(
                f"{steps:9} steps, lambda / {factor:g}: {middle:.2f} times the rounds "
                f"({low:.2f} to {high:.2f}, {len(ratios)} of {len(pairs)} games)"
            )
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("game", "steps", "factor", "fixed", "annealed"))
            table.writerows(rows)


if __name__ == "__main__":
    main()
