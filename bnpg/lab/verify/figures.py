"""The pictures of the report, as SVG text."""

import io
from typing import Any

import matplotlib as mpl
import numpy as np

from bnpg.lab.verify.ascent import ascend
from bnpg.lab.verify.cases import Case
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.constants import nash_bound, sizes, smoothness

mpl.use("Agg")

from matplotlib import pyplot as plt

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6eb",
    "font.size": 10.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "bnpg",
}
_BLUE, _RED, _GREY = "#0b5394", "#c24a0a", "#5d6675"
_FROM_PAGE = {
    _BLUE: "var(--blue)",
    _RED: "var(--red)",
    _GREY: "var(--grey)",
    "#e3e6eb": "var(--rule)",
    "#000000": "currentColor",
}
"""What the page colours, so that a figure is light in light and dark in dark."""
_ROUNDS = 1500
_LAMBDA = 0.1


def figures() -> list[tuple[str, str, str]]:
    """Return (title, what it shows, SVG) of every figure."""
    with plt.rc_context(_STYLE):
        return [_gap_against_rounds(), _rate(), _landscape()]


def _case(edges: tuple[tuple[int, int], ...]) -> Case:
    return Case("climbing", find_game("climbing"), Dag(2, edges), 0)


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    for colour, name in _FROM_PAGE.items():
        text = text.replace(colour, name)
    return text[text.index("<svg") :]


def _gap_against_rounds() -> tuple[str, str, str]:
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    for edges, colour, label in (((), _RED, "no edge"), (((0, 1),), _BLUE, "edge 0 → 1")):
        case = _case(edges)
        course = ascend(case, case.zeros(), _LAMBDA, 1.0 / _beta(case), _ROUNDS, gaps=True)
        rounds = np.arange(1, len(course.nash_gaps) + 1)
        axes.plot(rounds, np.maximum.accumulate(course.nash_gaps[::-1])[::-1], color=colour, alpha=0.25)
        axes.plot(rounds, course.nash_gaps, color=colour, label=f"Nash gap, {label}")
    for form, dash in (("printed", ":"), ("corrected", "-."), ("tight", "--")):
        bound = nash_bound(_LAMBDA, 1.0, form)  # type: ignore[arg-type]
        axes.axhline(bound, color=_GREY, linestyle=dash, linewidth=1.2)
        if form != "corrected":
            axes.annotate(f"Lemma 2, {form}", (1.2, bound * 1.12), color=_GREY, fontsize=9)
    axes.set(xscale="log", yscale="log", xlabel="round", ylabel="Nash gap")
    axes.legend(frameon=False, loc="upper right")
    what = (
        f"Exact ascent on the climbing game at the certified step (lambda = {_LAMBDA}, M = 1). "
        "Near a stationary point the Nash gap lies below what Lemma 2 promises: lambda M in the tight form."
    )
    return "Nash gap against rounds", what, _svg(figure)


def _rate() -> tuple[str, str, str]:
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    case = _case(((0, 1),))
    beta = _beta(case)
    course = ascend(case, case.zeros(), _LAMBDA, 1.0 / beta, _ROUNDS)
    rounds = np.arange(1, len(course.norms))
    least = np.minimum.accumulate(np.square(course.norms[:-1]))
    gain = np.array(course.objectives[1:]) - course.objectives[0]
    axes.plot(rounds, least, color=_BLUE, label="min over t ≤ T of ‖∇L‖², measured")
    axes.plot(
        rounds, 2 * beta * gain / rounds, color=_GREY, linestyle="--", label="2β (L_T − L_0) / T, promised"
    )
    axes.set(xscale="log", yscale="log", xlabel="T", ylabel="squared gradient norm")
    axes.legend(frameon=False)
    what = "The inequality behind Theorems 1 and 2, on the climbing game with an edge, with the tight beta."
    return "The rate, in log-log", what, _svg(figure)


def _landscape() -> tuple[str, str, str]:
    """Two agents, two actions: the product policy has a bad equilibrium, the correlated one has not."""
    game = find_game("stag_hunt")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.9), sharey=True)
    grid = np.linspace(-4.0, 4.0, 81)
    for axes, edges, title in ((left, (), "product policy"), (right, ((0, 1),), "fully correlated")):
        case = Case("stag_hunt", game, Dag(2, edges), 0)
        surface = np.array([[_value(case, _logits(case, x, y)) for x in grid] for y in grid])
        axes.contourf(grid, grid, surface, levels=18, cmap="Blues")
        axes.contour(grid, grid, surface, levels=18, colors="white", linewidths=0.4)
        for start in ((1.5, 1.0), (-1.5, -1.0), (-2.0, 1.5), (-2.5, -2.5)):
            path = _path(case, start)
            axes.plot(path[:, 0], path[:, 1], color=_RED, linewidth=1.6)
            axes.plot(*path[-1], marker="o", color=_RED, markersize=5)
            axes.plot(*start, marker="o", color="white", markeredgecolor=_RED, markersize=5)
        axes.set(title=title, xlabel="logit difference of agent 0", xlim=(-4, 4), ylim=(-4, 4))
        axes.grid(visible=False)
    left.set_ylabel("logit difference of agent 1")
    what = (
        "The value of the stag hunt over both agents' logits, darker is better, with paths of exact ascent "
        "from the open dots (lambda = 0.05). The product policy has two basins; starts at the lower left end "
        "in the bad equilibrium. With the edge 0 → 1 the second agent answers each action of the first "
        "separately (drawn is the mean of its answers); no softmax policy stays in the bad "
        "equilibrium any more, and every path ends at the optimum."
    )
    return "Landscape: what an edge does to a bad equilibrium", what, _svg(figure)


def _logits(case: Case, x: float, y: float) -> list[FloatArray]:
    thetas = case.zeros()
    thetas[0][..., 0], thetas[0][..., 1] = x / 2, -x / 2
    thetas[1][..., 0], thetas[1][..., 1] = y / 2, -y / 2
    return thetas


def _value(case: Case, thetas: list[FloatArray]) -> float:
    tables = [policy(theta) for theta in thetas]
    return evaluate(case.game, joint_policy(tables, case.dag)).value


def _path(case: Case, start: tuple[float, float]) -> FloatArray:
    thetas, points = _logits(case, *start), []
    for _ in range(60):
        differences = [float((theta[..., 0] - theta[..., 1]).mean()) for theta in thetas]
        points.append(np.clip(differences, -4.0, 4.0))
        thetas = ascend(case, thetas, 0.05, 1.0 / case.game.reward_range, 60).thetas
    return np.array(points)


def _beta(case: Case) -> float:
    return smoothness(sizes(case.game, case.dag), _LAMBDA)
