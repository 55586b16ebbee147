"""Orders in which agents can act so that a perfect DAG holds all pairs that must be adjacent.

Each is an elimination order read backwards: who acts first is eliminated last. `perfect.elimination_dag`
makes the DAG.
"""

from collections.abc import Iterable, Iterator
from itertools import permutations

import networkx as nx

from bnpg_math.dag.graph import Edge

ALL_ORDERS = 6
"""Up to so many agents every order is tried."""


def candidate_orders(agents: int, pairs: Iterable[Edge]) -> Iterator[tuple[int, ...]]:
    """Orders worth comparing: all of them for a few agents, else those that the field is used to.

    Parameters
    ----------
    agents : int
        N.
    pairs : iterable of (int, int)
        Who must be adjacent.

    Yields
    ------
    tuple of N int
        Who acts first, second, ..
    """
    if agents <= ALL_ORDERS:
        yield from permutations(range(agents))
        return
    graph = _graph(agents, pairs)
    yield nested_dissection(agents, pairs)
    yield fewest_additions(agents, pairs)
    for first in range(agents):
        yield _cardinality_search(graph, first)
        yield tuple(sorted(range(agents), key=_distances(graph, first).__getitem__))


def nested_dissection(agents: int, pairs: Iterable[Edge]) -> tuple[int, ...]:
    """Separators first: agents whose removal leaves parts of about half the size, then the same in each part.

    After George (SIAM J. Numer. Anal. 10, 1973), with separators from the levels of a breadth-first search.

    Parameters
    ----------
    agents : int
        N.
    pairs : iterable of (int, int)
        Who must be adjacent.

    Returns
    -------
    tuple of N int
        Who acts first, second, ..

    Examples
    --------
    >>> nested_dissection(7, [(agent, agent + 1) for agent in range(6)])
    (3, 1, 0, 2, 5, 4, 6)
    """
    graph = _graph(agents, pairs)
    order: list[int] = []

    def divide(part: set[int]) -> None:
        for members in sorted(map(sorted, nx.connected_components(graph.subgraph(part)))):
            separator = _separator(graph.subgraph(members))
            order.extend(separator)
            divide(set(members) - set(separator))

    divide(set(range(agents)))
    return tuple(order)


def fewest_additions(agents: int, pairs: Iterable[Edge]) -> tuple[int, ...]:
    """Greedy minimum fill: last acts whose neighbours lack the fewest edges among each other, and so on.

    Parameters
    ----------
    agents : int
        N.
    pairs : iterable of (int, int)
        Who must be adjacent.

    Returns
    -------
    tuple of N int
        Who acts first, second, ..
    """
    graph = _graph(agents, pairs)
    order = []

    def lacking(agent: int) -> tuple[int, int, int]:
        near = sorted(graph[agent])
        missing = sum(
            not graph.has_edge(neighbour, other) for at, neighbour in enumerate(near) for other in near[:at]
        )
        return missing, len(near), agent

    while graph:
        agent = min(graph, key=lacking)
        near = sorted(graph[agent])
        graph.add_edges_from((neighbour, other) for at, neighbour in enumerate(near) for other in near[:at])
        graph.remove_node(agent)
        order.append(agent)
    return tuple(reversed(order))


def _graph(agents: int, pairs: Iterable[Edge]) -> "nx.Graph[int]":
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(agents))
    graph.add_edges_from(pairs)
    return graph


def _separator(graph: "nx.Graph[int]") -> list[int]:
    """A level of a breadth-first search that leaves small parts; all agents of a small graph."""
    if len(graph) <= 2 or nx.density(graph) == 1.0:
        return sorted(graph)
    start = min(graph)
    for _ in range(2):  # to the end of a long path
        distance = nx.single_source_shortest_path_length(graph, start)
        start = max(sorted(distance), key=distance.__getitem__)
    distance = nx.single_source_shortest_path_length(graph, start)
    levels = [
        sorted(agent for agent in graph if distance[agent] == at) for at in range(max(distance.values()) + 1)
    ]

    def cost(level: list[int]) -> tuple[int, int]:
        rest = graph.subgraph(set(graph) - set(level))
        return max((len(part) for part in nx.connected_components(rest)), default=0) + len(level), len(level)

    return min(levels, key=cost)


def _distances(graph: "nx.Graph[int]", first: int) -> dict[int, int]:
    found = dict(nx.single_source_shortest_path_length(graph, first))
    return {agent: found.get(agent, len(graph)) for agent in graph}


def _cardinality_search(graph: "nx.Graph[int]", first: int) -> tuple[int, ...]:
    """Tarjan and Yannakakis (1984): next acts who has most neighbours that act; perfect on chordal graphs."""
    order = [first]
    while len(order) < len(graph):
        rest = sorted(set(graph) - set(order))
        order.append(max(rest, key=lambda agent: sum(neighbour in order for neighbour in graph[agent])))
    return tuple(order)
