"""The figure: a row a way of climbing, a dot a game with its DAG; rounds on the left, time on the right."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from racing import Outcome
from ways import CERTIFIED, WAYS

PLAIN, CHOSEN, NATURAL = "#6b7280", "#0b5394", "#c24a0a"


def draw(outcomes: list[Outcome], share: float, most: int, path: Path) -> None:
    """Draw all outcomes; a bar is the median, a triangle a run that was not certified in time."""
    figure = Figure(figsize=(10.5, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, measure in zip(axes, ("rounds", "seconds"), strict=True):
        for row, way in enumerate(WAYS):
            own = [outcome for outcome in outcomes if outcome.way is way]
            numbers = np.array([getattr(outcome, measure) for outcome in own], dtype=float)
            certified = np.array([outcome.certified for outcome in own])
            colour = (
                NATURAL if "direction" in way.fields else PLAIN if way.name.startswith("plain") else CHOSEN
            )
            # The same game has the same height in every row.
            heights = row + np.linspace(-0.12, 0.32, len(own))
            axis.scatter(numbers[certified], heights[certified], s=14, color=colour, alpha=0.55, lw=0)
            axis.scatter(
                numbers[~certified], heights[~certified], s=22, marker=">", facecolors="none",
                edgecolors=colour, lw=0.9,
            )  # fmt: skip
            middle = float(np.median(np.where(certified, numbers, np.inf)))
            if np.isfinite(middle):
                axis.plot([middle, middle], [row - 0.36, row + 0.36], color=colour, lw=2.4)
                axis.annotate(
                    f"{middle:.0f}" if measure == "rounds" else f"{middle:.2g} s", (middle, row - 0.3),
                    xytext=(4, 0), textcoords="offset points", ha="left", va="center", fontsize=8,
                    color=colour,
                )  # fmt: skip
        axis.set_xscale("log")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", color="#e3e6eb", lw=0.8)
        axis.set_axisbelow(True)
    axes[0].set_yticks(range(len(WAYS)), [way.name for way in WAYS])
    axes[0].get_yticklabels()[WAYS.index(CERTIFIED)].set_fontweight("bold")
    axes[0].set_ylim(len(WAYS) - 0.4, -0.7)
    axes[0].set_xlabel("rounds until it is certified")
    axes[1].set_xlabel("seconds until it is certified")
    games = len({outcome.where for outcome in outcomes})
    figure.suptitle(
        f"Until a Nash gap of {100 * share:g} % of the range of returns is certified, {games} games with DAGs"
        f"\nbar: median; triangle: not within {most:,} rounds",
        fontsize=11,
    )
    figure.savefig(path, dpi=140, metadata={"Software": None})
