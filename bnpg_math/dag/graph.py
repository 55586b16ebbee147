"""The DAG of a Bayesian-network joint policy (section 3): who sees whose action.

Agents are 0..N-1. The topological order need not be 0..N-1: the edge 2 -> 0 is as good as 0 -> 2.
Reading a DAG from text or from a file is in `dag_text`.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from operator import index
from types import MappingProxyType
from typing import Any

import numpy as np

from bnpg_files.quoting import quoted
from bnpg_math.errors import DagError

Edge = tuple[int, int]
MOST_AGENTS = 10_000
"""Agents of a DAG, and of a run on another host that a page shows."""


@dataclass(frozen=True)
class Dag:
    """A directed acyclic graph over the agents.

    Parameters
    ----------
    agents : int
        N, from 1 to `MOST_AGENTS`.
    edges : iterable of (parent, child)
        Integers of any kind. Kept sorted. No loops, no duplicates, no cycles.

    Raises
    ------
    DagError
        Naming the edge or the cycle that is at fault.

    Examples
    --------
    >>> dag = Dag(3, [(2, 0), (2, 1), (0, 1)])
    >>> dag.parents
    ((2,), (0, 2), ())
    >>> dag.order
    (2, 0, 1)
    """

    agents: int
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "agents", _integer(self.agents, "a DAG needs a number of agents"))
        if self.agents < 1:
            raise DagError(f"a DAG needs at least one agent, got {_shown(self.agents)}")
        if self.agents > MOST_AGENTS:
            raise DagError(f"a DAG has at most {MOST_AGENTS} agents, got {_shown(self.agents)}")
        edges = tuple(sorted(edges_from(self.edges)))
        object.__setattr__(self, "edges", edges)
        for parent, child in edges:
            if not (0 <= parent < self.agents and 0 <= child < self.agents):
                named = f"{_shown(parent)}-{_shown(child)}"
                raise DagError(f"edge {named} must join agents 0..{self.agents - 1}")
            if parent == child:
                raise DagError(f"edge {parent}-{child} is a loop: an agent cannot be its own parent")
        for edge, following in pairwise(edges):
            if edge == following:
                raise DagError(f"edge {edge[0]}-{edge[1]} is given twice")
        if len(self.order) < self.agents:
            path = " -> ".join(map(str, self._cycle()))
            raise DagError(f"edges must form no cycle, got {path}")

    def _cycle(self) -> list[int]:
        """A cycle, from its smallest agent back to it, among those that have no place in the order."""
        left = set(range(self.agents)) - set(self.order)
        way = [min(left)]
        # Everybody left has a parent who is left, or it would have had its place.
        while way[-1] not in way[:-1]:
            way.append(next(parent for parent in self.parents[way[-1]] if parent in left))
        cycle = way[way.index(way[-1]) : -1][::-1]
        first = cycle.index(min(cycle))
        return [*cycle[first:], *cycle[:first], cycle[first]]

    @cached_property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """pa(i) of every agent, ascending: the order of the parent axes of theta^i."""
        found: list[list[int]] = [[] for _ in range(self.agents)]
        for parent, child in self.edges:  # sorted by parent
            found[child].append(parent)
        return tuple(map(tuple, found))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Agents that see agent i's action, ascending."""
        found: list[list[int]] = [[] for _ in range(self.agents)]
        for parent, child in self.edges:
            found[parent].append(child)
        return tuple(map(tuple, found))

    @cached_property
    def families(self) -> tuple[tuple[int, ...], ...]:
        """P^i_+ of every agent: its parents, ascending, then the agent itself."""
        return tuple((*parents, agent) for agent, parents in enumerate(self.parents))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The lexicographically smallest topological order."""
        unseen = [len(parents) for parents in self.parents]
        ready = [agent for agent in range(self.agents) if not unseen[agent]]  # ascending: a heap
        found = []
        while ready:
            agent = heapq.heappop(ready)
            found.append(agent)
            for child in self.children[agent]:
                unseen[child] -= 1
                if not unseen[child]:
                    heapq.heappush(ready, child)
        return tuple(found)

    @cached_property
    def depth(self) -> int:
        """Edges on a longest path: the hops an action travels within one environment step."""
        hops = [0] * self.agents
        for agent in self.order:
            hops[agent] = max((1 + hops[parent] for parent in self.parents[agent]), default=0)
        return max(hops)

    @property
    def is_complete(self) -> bool:
        """Whether the joint policy is fully correlated (Definition 3)."""
        return 2 * len(self.edges) == self.agents * (self.agents - 1)


def edges_from(pairs: Iterable[Any]) -> list[Edge]:
    """Edges from pairs of numbers that other programs make.

    Parameters
    ----------
    pairs : iterable of (parent, child)
        Integers of any kind; floats only if they are whole.

    Returns
    -------
    list of (parent, child)

    Raises
    ------
    DagError
        If something is no pair of integers.
    """
    try:
        given = iter(pairs)
    except TypeError:
        raise DagError(f"edges must be pairs (parent, child), got {quoted(pairs)}") from None
    edges = []
    for pair in given:
        try:
            parent, child = pair
        except (TypeError, ValueError):
            raise DagError(f"an edge must be a pair (parent, child), got {quoted(pair)}") from None
        what = f"edge {_shown(parent)}-{_shown(child)} must join integers"
        edges.append((_integer(parent, what), _integer(child, what)))
    return edges


def _integer(value: Any, what: str) -> int:
    try:
        return int(value) if isinstance(value, float) and value.is_integer() else index(value)
    except TypeError:
        raise DagError(f"{what}, got {quoted(value)}") from None


def _shown(value: Any) -> Any:
    """Return what stands for an end of an edge, or a number of agents, in a text."""
    return value if isinstance(value, np.number) else quoted(value).strip("'")


def empty(agents: int) -> Dag:
    """No edges: the product policy."""
    return Dag(agents)


def line(agents: int) -> Dag:
    """A chain i -> i+1."""
    return Dag(agents, tuple((agent, agent + 1) for agent in range(agents - 1)))


def star(agents: int) -> Dag:
    """Agent 0 leads all others."""
    return Dag(agents, tuple((0, agent) for agent in range(1, agents)))


def complete(agents: int) -> Dag:
    """Every i -> j with i < j: fully correlated (Definition 3)."""
    return Dag(agents, tuple(combinations(range(agents), 2)))


FAMILIES: Mapping[str, Callable[[int], Dag]] = MappingProxyType(
    {"empty": empty, "line": line, "star": star, "complete": complete}
)
"""The DAGs that can be named, each a function of the number of agents."""


def random_dag(agents: int, density: float, generator: np.random.Generator) -> Dag:
    """A random DAG with a random topological order.

    Parameters
    ----------
    agents : int
        N.
    density : float
        Probability of each possible edge, in [0, 1].
    generator : numpy.random.Generator
        Source of the order and of the edges.

    Returns
    -------
    Dag
    """
    order = [int(agent) for agent in generator.permutation(agents)]
    pairs: Iterable[Edge] = combinations(order, 2)
    return Dag(agents, tuple(pair for pair in pairs if generator.random() < density))
