"""The figure: how the teams learn, and what every seed earns greedily when it is done."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from outcome import mean_interval, of_teams
from studies import Study
from training import Result

COLOURS = ("#c24a0a", "#0b5394", "#5d8f2b", "#7b3f9e")
DASHES = ("-", "--", "-.", ":")


def draw(title: str, study: Study, results: Sequence[Result], path: Path) -> None:
    """Draw the mean learning curve of every team with its interval, and a dot a seed."""
    teams = of_teams(results)
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    curves, dots = figure.subplots(1, 2, width_ratios=(3, 2))
    for place, (name, own) in enumerate(teams.items()):
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
        returns = np.array([one.returns for one in own])
        points = np.array([mean_interval(column.tolist()) for column in returns.T])
        curves.fill_between(own[0].steps, points[:, 1], points[:, 2], color=colour, alpha=0.15, lw=0)
        curves.plot(own[0].steps, points[:, 0], color=colour, linestyle=dash, lw=1.6, label=name)
        greedy = [one.greedy for one in own]
        spread = place + np.linspace(-0.25, 0.25, len(own)) if len(own) > 1 else np.array([float(place)])
        dots.scatter(spread, greedy, s=14, color=colour, alpha=0.55, lw=0)
        mean, low, high = mean_interval(greedy)
        if not np.isnan(low):
            dots.errorbar(place, mean, [[mean - low], [high - mean]], color=colour, capsize=4, lw=1.6)
        dots.plot([place - 0.3, place + 0.3], [mean, mean], color=colour, lw=1.6)
    known = dict(study.lines) if study.best is None else {"best": study.best, **study.lines}
    for name, level in known.items():
        dots.axhline(level, color="#6b7280", lw=0.9, ls=":")
        dots.annotate(name, (0.0, level), xycoords=("axes fraction", "data"), fontsize=8, color="#6b7280",
                      xytext=(3, 2), textcoords="offset points")  # fmt: skip
    dots.set_xticks(range(len(teams)), list(teams), rotation=20 if len(teams) > 3 else 0)
    dots.set_ylabel("greedy return")
    curves.set(xlabel="steps", ylabel="return of the episodes learnt from")
    curves.legend(frameon=False, fontsize=9)
    for axis in (curves, dots):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#e3e6eb", lw=0.8)
        axis.set_axisbelow(True)
    seeds = sorted({len(own) for own in teams.values()})
    many = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    figure.suptitle(f"{title}, {many} seeds: mean and 95 % interval, a dot a seed", fontsize=11)
    figure.savefig(path, dpi=140, metadata={"Software": None})
