"""The figure of growth: time of a step, start-up and memory against agents, lanes and states."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

from bnpg.lab.bench.document import Benchmark, Case

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6eb",
    "font.size": 9.5,
}
COLOURS = {"empty": "#5d6675", "star": "#0b5394", "line": "#c24a0a", "complete": "#5b8c2a"}
MARKERS = {"empty": "o", "star": "s", "line": "^", "complete": "D"}


PLAIN = FuncFormatter(lambda value, _position: f"{value:g}")
"""Numbers without exponents."""


def draw_growth(found: Benchmark, file: Path) -> bool:
    """Draw, and return whether there was anything to draw."""
    cases = {what: [one for one in found.cases if one.parameters.get("grows") == what] for what in _GROWS}
    if not all(cases.values()):
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(2, 3, figsize=(11, 6.4))
        _against_agents(panels[0], cases["agents"])
        _curve(panels[1][0], cases["lanes"], "lanes", "seconds", 1e3, "line of 5: time of a step, ms")
        panels[1][0].set_ylim(bottom=0)
        _rate(panels[1][1], cases["lanes"])
        _memory(panels[1][2], cases["states"])
        figure.tight_layout()
        figure.savefig(file, dpi=110, metadata={"Software": None})
        plt.close(figure)
    return True


_GROWS = ("agents", "lanes", "states")


def _against_agents(panels: Any, cases: list[Case]) -> None:
    for dag, colour in COLOURS.items():
        chosen = [one for one in cases if one.parameters["dag"] == dag]
        style = {"label": dag, "color": colour, "marker": MARKERS[dag]}
        _curve(panels[0], chosen, "agents", "seconds", 1e3, "time of a step, ms", **style)
        _curve(panels[1], chosen, "agents", "ready_seconds", 1.0, "until ready, s", **style)
        _curve(panels[2], chosen, "agents", "agent_bytes", 1e-6, "own memory of an agent, MB", **style)
    for panel in panels[:2]:
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(PLAIN)
        panel.yaxis.set_minor_formatter(PLAIN if _within_a_decade(panel) else NullFormatter())
    panels[2].set_ylim(0, 1.2 * panels[2].get_ylim()[1])
    panels[0].legend(frameon=False)


def _within_a_decade(panel: Any) -> bool:
    low, high = panel.get_ylim()
    return bool(high < 10 * low)


def _curve(
    panel: Any, cases: list[Case], across: str, field: str, factor: float, title: str, **style: Any
) -> None:
    points = [(one.parameters[across], one.median("ours", field)) for one in cases]
    known = [(x, factor * y) for x, y in points if y is not None]
    panel.plot(*zip(*known, strict=True), **({"color": "#c24a0a", "marker": "o"} | style), markersize=4)
    panel.set_xscale("log", base=2)
    ticks = sorted({int(x) for x, _ in known})
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=8)
    panel.set_title(title, loc="left", fontsize=10)
    panel.set_xlabel(across)


def _rate(panel: Any, cases: list[Case]) -> None:
    lanes = [one.lanes for one in cases]
    panel.plot(
        lanes, [one.lanes / one.spread("ours").median / 1e6 for one in cases], color="#c24a0a", marker="o"
    )
    panel.set_xscale("log", base=2)
    panel.set_xticks(lanes, [f"{tick:,}" for tick in lanes], fontsize=8)
    panel.set_title("line of 5: million transitions a second", loc="left", fontsize=10)
    panel.set_xlabel("lanes")
    panel.set_ylim(bottom=0)


def _memory(panel: Any, cases: list[Case]) -> None:
    for field, colour, label in (
        ("agent_bytes", "#c24a0a", "an agent, mean"),
        ("coordinator_bytes", "#0b5394", "the coordinator"),
    ):
        _curve(panel, cases, "states", field, 1e-6, "sparse game: own memory, MB", color=colour, label=label)
    panel.set_xscale("log", base=10)
    panel.set_ylim(0, 1.3 * panel.get_ylim()[1])
    panel.legend(frameon=False, loc="upper left")
