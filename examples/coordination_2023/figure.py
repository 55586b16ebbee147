"""The figure: fraction of the optimum and Nash gap over the rounds, a column a number of agents."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from outcome import Outcome

LOOKS = {"empty": ("#c24a0a", "-"), "line": ("#5d8f2b", "--"), "complete": ("#0b5394", "-")}
"""Colour and dash of every DAG, told apart without colour too."""


def draw(outcomes: list[Outcome], seeds: int, path: Path) -> None:
    """Draw all teams; lines are means over the seeds, bands their 95 % intervals."""
    sizes = sorted({outcome.agents for outcome in outcomes})
    figure = Figure(figsize=(3.5 * len(sizes) + 0.6, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(sizes), sharex=True, sharey="row", squeeze=False)
    for outcome in outcomes:
        colour, dash = LOOKS[outcome.dag]
        column = sizes.index(outcome.agents)
        rounds = outcome.table[:, 0]
        for row, first in ((0, 1), (1, 4)):
            axis = axes[row, column]
            axis.fill_between(
                rounds,
                outcome.table[:, first + 1],
                outcome.table[:, first + 2],
                color=colour,
                alpha=0.15,
                lw=0,
            )
            axis.plot(
                rounds, outcome.table[:, first], color=colour, linestyle=dash, lw=1.7, label=outcome.dag
            )
    for column, agents in enumerate(sizes):
        axes[0, column].set_title(f"{agents} agents", fontsize=11)
        axes[1, column].set_xlabel("round")
        axes[1, column].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("value / optimal value")
    axes[1, 0].set_ylabel("Nash gap")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#e3e6eb", lw=0.8)
        axis.set_axisbelow(True)
    axes[0, -1].legend(title="DAG", frameon=False, loc="lower right")
    figure.suptitle(f"Coordination game, exact updates, {seeds} seeds: mean and 95 % interval", fontsize=12)
    figure.savefig(path, dpi=140, metadata={"Software": None})
