"""The DAG as a picture: who sees whose action, from left to right in the order in which they act."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bnpg.report.numbers import shown
from bnpg_math.dag import Dag, Edge

ACROSS, DOWN = 130.0, 84.0
"""Distance of layers, and of agents within one."""
RADIUS = 25.0
MARGIN = 44.0
ARC = 17.0
"""How much higher an edge arches for each layer it passes over."""
THIN, THICK = 1.4, 6.0
"""Strokes of an edge that is worth nothing, and of the one that is worth most."""


@dataclass(frozen=True)
class Node:
    """An agent's place."""

    agent: int
    x: float
    y: float


@dataclass(frozen=True)
class Worth:
    """What was measured of an edge: what the team loses without it.

    Parameters
    ----------
    value : float
    low, high : float
        Its interval at 95 %.
    exact : float, optional
        Where the model is known.
    """

    value: float
    low: float
    high: float
    exact: float | None = None

    @property
    def certain(self) -> bool:
        """Whether the interval tells it from 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Arrow:
    """An edge as a curve from one node's rim to another's.

    Parameters
    ----------
    parent, child : int
    path : str
        As SVG has it.
    x, y : float
        The middle of the curve.
    worth : Worth, optional
    label : str
        Its value in words, empty if it was not measured.
    width : float
        Of the stroke: the more it is worth, the thicker.
    """

    parent: int
    child: int
    path: str
    x: float
    y: float
    worth: Worth | None = None
    label: str = ""
    width: float = THIN


@dataclass(frozen=True)
class DagDrawing:
    """Places of everything, in a frame of `width` by `height`."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    spoken: str


def draw_dag(dag: Dag, worths: Mapping[Edge, Worth] | None = None) -> DagDrawing:
    """Place the agents in layers: an agent stands one further than the last of its parents.

    Parameters
    ----------
    dag : Dag
    worths : mapping of Edge to Worth, optional
        What edges are worth, to be shown on them.
    """
    layer: dict[int, int] = {}
    for agent in dag.order:
        layer[agent] = max((layer[parent] + 1 for parent in dag.parents[agent]), default=0)
    layers: dict[int, list[int]] = {}
    for agent, depth in sorted(layer.items()):
        layers.setdefault(depth, []).append(agent)
    tallest = max(len(members) for members in layers.values())
    longest = max((layer[child] - layer[parent] for parent, child in dag.edges), default=1)
    height = 2 * MARGIN + (tallest - 1) * DOWN + max(longest - 1, 0) * ARC * 2
    middle = height / 2
    nodes = {
        agent: Node(agent, MARGIN + depth * ACROSS, middle + (row - (len(members) - 1) / 2) * DOWN)
        for depth, members in layers.items()
        for row, agent in enumerate(members)
    }
    known = worths or {}
    most = max((worth.value for worth in known.values()), default=0.0)
    arrows = tuple(
        _arrow(
            nodes[parent],
            nodes[child],
            layer[child] - layer[parent],
            middle,
            known.get((parent, child)),
            most,
        )
        for parent, child in dag.edges
    )
    width = 2 * MARGIN + max(layers) * ACROSS
    return DagDrawing(width, height, tuple(nodes[agent] for agent in sorted(nodes)), arrows, describe(dag))


def describe(dag: Dag) -> str:
    """Say who sees whom."""
    sentences = []
    for agent, parents in enumerate(dag.parents):
        if parents:
            whom = ", ".join(str(parent) for parent in parents)
            sentences.append(f"agent {agent} sees the action of agent{'s' * (len(parents) > 1)} {whom}")
    if not sentences:
        return f"{dag.agents} agents, none of whom sees another's action before it acts."
    rest = sum(not parents for parents in dag.parents)
    first = f"{rest} agent{'s' * (rest != 1)} act{'s' * (rest == 1)} without seeing another"
    return f"{dag.agents} agents; {first}; " + "; ".join(sentences) + "."


def _arrow(parent: Node, child: Node, passes: int, middle: float, worth: Worth | None, most: float) -> Arrow:
    """Return a curve that arches away from the nodes between; upwards above the middle, else downwards."""
    bend = 0.0
    if passes > 1:
        side = -1.0 if (parent.y + child.y) / 2 <= middle and (passes % 2 == 0 or parent.y < middle) else 1.0
        bend = side * (passes * ARC * 2 + RADIUS)
    x, y = (parent.x + child.x) / 2, (parent.y + child.y) / 2 + bend
    start, end = _rim(parent, x, y, RADIUS), _rim(child, x, y, RADIUS + 7)
    path = f"M{start[0]:.1f} {start[1]:.1f}Q{x:.1f} {y:.1f} {end[0]:.1f} {end[1]:.1f}"
    centre = round((start[0] + 2 * x + end[0]) / 4, 1), round((start[1] + 2 * y + end[1]) / 4, 1)
    if worth is None:
        return Arrow(parent.agent, child.agent, path, *centre)
    share = max(0.0, worth.value) / most if most > 0 else 0.0
    width = round(THIN + share * (THICK - THIN), 2)
    return Arrow(parent.agent, child.agent, path, *centre, worth, shown(float(f"{worth.value:.2g}")), width)


def _rim(node: Node, x: float, y: float, radius: float) -> tuple[float, float]:
    distance = math.hypot(x - node.x, y - node.y) or 1.0
    return node.x + (x - node.x) / distance * radius, node.y + (y - node.y) / distance * radius
