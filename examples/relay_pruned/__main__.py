"""Networks that learn which edges they need: relay, dense, measured, pruned to three edges, trained on.

    python examples/relay_pruned [FOLDER] [SEEDS]

Agent 0 sees one of four goals, and all four agents must choose it. Nobody else sees it, so without edges the
team earns a quarter; any tree with agent 0 at its root suffices. Each seed trains on the complete graph,
measures its six edges, keeps three, and trains on; the empty graph is trained as long beside it. Prints a
table and draws `relay-pruned.png`.
"""

import math
import statistics
import sys
from pathlib import Path

import bnpg
from bnpg.__main__ import main as command

SEEDS = 4
FIELDS = (
    "relay(agents=4)", "--policy", "mlp:32,32", "--update", "ppo", "--lanes", "64", "--steps", "4",
    "--rounds", "200", "--learning-rate", "0.01", "--regularization", "0.002",
    "--launcher", "memory", "--quiet",
)  # fmt: skip
KINDS = ("empty", "complete", "3 edges, learned")


def trained(folder: Path, seed: int) -> list[bnpg.Run]:
    """Return the runs of a seed on the empty graph, the complete one and what was left of that."""
    runs = (("empty", folder / f"{seed}-empty", ()), ("learned", folder / f"{seed}", ("--budget", "3")))
    for dag, out, more in runs:
        if not out.exists():
            code = command(["train", *FIELDS, "--seed", str(seed), "--dag", dag, *more, "--out", str(out)])
            assert code == 0, f"bnpg train ended with {code}"
    return [bnpg.load_run(folder / name) for name in (f"{seed}-empty", f"{seed}-dense", f"{seed}")]


def interval(values: list[float]) -> tuple[float, float]:
    """Return a mean and the half width of its interval of 95 %, by two standard errors."""
    return statistics.fmean(values), 2.0 * statistics.stdev(values) / math.sqrt(len(values))


def main() -> int:
    """Train all seeds, print the table, draw the figure."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/relay-pruned")
    seeds = range(int(sys.argv[2]) if len(sys.argv) > 2 else SEEDS)
    teams = [trained(folder, seed) for seed in seeds]
    rows = ["", "| graph | greedy return, mean ± 2 s.e. | drawn | seeds at 1 |", "|---|---|---|---|"]
    for place, kind in enumerate(KINDS):
        greedy, drawn = (
            [float((team[place].summary or {})[key]) for team in teams]
            for key in ("return_mean", "drawn_return_mean")
        )
        best = sum(one >= 1.0 for one in greedy)
        cells = [f"{mean:.3f} ± {width:.3f}" for mean, width in map(interval, (greedy, drawn))]
        rows.append(f"| {kind} | {' | '.join(cells)} | {best} of {len(teams)} |")
    rows += [f"seed {seed}: kept {teams[seed][2].experiment.dag}" for seed in seeds]
    sys.stdout.write("\n".join(rows) + "\n")
    draw(teams, folder / "relay-pruned.png")
    return 0


def draw(teams: list[list[bnpg.Run]], target: Path) -> None:
    """Draw the returns of the rounds, a thin line a seed."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for place, (kind, colour) in enumerate(zip(KINDS, ("C1", "C0", "C2"), strict=True)):
        for number, team in enumerate(teams):
            lines = [line for line in team[place].lines if "return_mean" in line]
            rounds = [line["round"] + (200 if place == 2 else 0) for line in lines]
            label = kind if number == 0 else None
            axes.plot(rounds, [line["return_mean"] for line in lines], colour, lw=0.8, alpha=0.7, label=label)
    axes.axvline(200, color="grey", ls=":", lw=1)
    axes.set(xlabel="round", ylabel="return of the episodes", title="relay: trained, pruned, trained on")
    axes.legend()
    figure.savefig(target, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
