"""The DAG of a Bayesian-network joint policy (section 3): who sees whose action.

Agents are 0..N-1. The topological order need not be 0..N-1: the edge 2 -> 0 is as good as 0 -> 2.
Reading a DAG from text or from a file is in `dag_text`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from types import MappingProxyType

import networkx as nx
import numpy as np

from bnpg_math.errors import DagError

Edge = tuple[int, int]


@dataclass(frozen=True)
class Dag:
    """A directed acyclic graph over the agents.

    Parameters
    ----------
    agents : int
        N >= 1.
    edges : iterable of (parent, child)
        Kept sorted. No loops, no duplicates, no cycles.

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
        if self.agents < 1:
            raise DagError(f"a DAG needs at least one agent, got {self.agents}")
        edges = tuple(sorted((int(parent), int(child)) for parent, child in self.edges))
        object.__setattr__(self, "edges", edges)
        for parent, child in edges:
            if not (0 <= parent < self.agents and 0 <= child < self.agents):
                raise DagError(f"edge {parent}-{child} must join agents 0..{self.agents - 1}")
            if parent == child:
                raise DagError(f"edge {parent}-{child} is a loop: an agent cannot be its own parent")
        for edge, following in pairwise(edges):
            if edge == following:
                raise DagError(f"edge {edge[0]}-{edge[1]} is given twice")
        if not nx.is_directed_acyclic_graph(self._graph):
            cycle = [parent for parent, _ in nx.find_cycle(self._graph)]
            path = " -> ".join(str(agent) for agent in (*cycle, cycle[0]))
            raise DagError(f"edges must form no cycle, got {path}")

    @cached_property
    def _graph(self) -> "nx.DiGraph[int]":
        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_nodes_from(range(self.agents))
        graph.add_edges_from(self.edges)
        return graph

    @cached_property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """pa(i) of every agent, ascending: the order of the parent axes of theta^i."""
        return tuple(tuple(sorted(self._graph.predecessors(agent))) for agent in range(self.agents))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Agents that see agent i's action, ascending."""
        return tuple(tuple(sorted(self._graph.successors(agent))) for agent in range(self.agents))

    @cached_property
    def families(self) -> tuple[tuple[int, ...], ...]:
        """P^i_+ of every agent: its parents, ascending, then the agent itself."""
        return tuple((*parents, agent) for agent, parents in enumerate(self.parents))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The lexicographically smallest topological order."""
        return tuple(nx.lexicographical_topological_sort(self._graph))

    @cached_property
    def depth(self) -> int:
        """Edges on a longest path: the hops an action travels within one environment step."""
        return int(nx.dag_longest_path_length(self._graph))

    @property
    def is_complete(self) -> bool:
        """Whether the joint policy is fully correlated (Definition 3)."""
        return 2 * len(self.edges) == self.agents * (self.agents - 1)


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
