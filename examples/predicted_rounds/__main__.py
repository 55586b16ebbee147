"""How many rounds the theorems ask for, and how many it takes, as one command.

    python examples/predicted_rounds

For small games, on the complete DAG, and an optimality gap of 2 % of the range of returns: T of Theorem 2 as
printed, corrected and tight, T of Theorem B for natural steps, and the rounds that exact runs from zeros
really need until that gap is certified (gradient steps of certified size, and chosen by backtracking) or
reached (natural steps without a barrier). Writes `rounds.csv` and `rounds.png`.
"""

import argparse
import csv
import math
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

import bnpg

GAMES = ("climbing", "penalty", "stag_hunt", "coordination(agents=2)")
SHARE = 0.02
"""Of the range of returns."""
COLUMNS = (
    "Theorem 2, printed",
    "Theorem 2, corrected",
    "Theorem 2, tight",
    "certified steps",
    "backtracking",
    "Theorem B, tight",
    "natural steps",
)


def certified(name: str, most: int, epsilon: float, **settings: Any) -> tuple[float, list[float]]:
    """Return the rounds until the gap is certified, or infinity, and what Theorem 2 asks for."""
    run = bnpg.train(
        name, dag="complete", mode="exact", rounds=most, evaluate_every=most,
        stop_at_epsilon=epsilon, stop_gap="optimality", **settings,
    )  # fmt: skip
    forms = run.summary["predicted_rounds"]["theorem_2"]
    asked = [float(forms[form]["rounds"]) for form in ("printed", "corrected", "tight")]
    return (float(run.summary["rounds"]) if run.summary["certified"] else math.inf), asked


def reached(name: str, most: int, epsilon: float) -> tuple[float, float]:
    """Return the rounds until natural steps reach the gap, and what Theorem B asks for."""
    run = bnpg.train(
        name, dag="complete", mode="exact", rounds=most, evaluate_every=1,
        direction="natural", learning_rate="certified",
    )  # fmt: skip
    gaps = [line["optimality_gap"] for line in run.lines]
    first = next((round_ for round_, gap in enumerate(gaps) if gap <= epsilon), math.inf)
    return float(first), float(run.summary["predicted_rounds"]["theorem_b"]["tight"]["rounds"])


def row(name: str, most: int) -> list[float]:
    """Return the rounds of one game, a number a column."""
    game = bnpg.game(name)
    epsilon = SHARE * game.reward_range / (1.0 - game.gamma)
    plain, asked = certified(name, most, epsilon, learning_rate="certified")
    chosen, _ = certified(name, most, epsilon, step_size="backtracking")
    natural, asked_natural = reached(name, 300, epsilon)
    return [*asked, plain, chosen, asked_natural, natural]


def draw(rows: dict[str, list[float]], file: Path) -> None:
    """Draw predicted beside needed rounds on a log scale."""
    matplotlib.use("agg")
    figure, axes = plt.subplots(figsize=(9, 4.2), layout="constrained")
    shades = ("#c6cdd8", "#98a5ba", "#5f7496", "#1f6f5c", "#35a384", "#b9855a", "#d9534f")
    for index, (column, shade) in enumerate(zip(COLUMNS, shades, strict=True)):
        places = [game + 0.11 * (index - 3) for game in range(len(rows))]
        heights = [max(0.8, one[index]) if math.isfinite(one[index]) else 0.0 for one in rows.values()]
        axes.bar(places, heights, 0.1, label=column, color=shade)
    axes.set_yscale("log")
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set_ylabel("rounds")
    axes.set_title("Optimality gap of 2 % of the range of returns, complete DAG: asked for and needed")
    axes.legend(fontsize=8, ncols=2)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Make the table and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20_000, help="at the most, a run [20000]")
    parser.add_argument("--games", nargs="+", default=list(GAMES), metavar="GAME")
    parser.add_argument("--out", type=Path, default=Path("predicted-rounds"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = {name: row(name, options.rounds) for name in options.games}
    with (options.out / "rounds.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["game", *COLUMNS])
        table.writerows([name, *(f"{value:.3g}" for value in found)] for name, found in rows.items())
    print(f"{'':24}" + "".join(f"{column:>22}" for column in COLUMNS))
    for name, found in rows.items():
        print(f"{name:24}" + "".join(f"{value:>22.3g}" for value in found))
    draw(rows, options.out / "rounds.png")


if __name__ == "__main__":
    main()
