"""Graphs as a Python program has them: pairs, matrices, dictionaries, or an object of a graph library.

None of these libraries is imported: what is asked of a graph are its nodes and its edges.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bnpg_files.quoting import quoted
from bnpg_math.dag import Dag, Edge, edges_from
from bnpg_math.errors import DagError

EXPECTED = (
    "a name, a path, a Dag, pairs (parent, child), a directed graph, a matrix of 0 and 1, {parent: children}"
)


def edges_of(graph: Any) -> tuple[list[Edge], int | None]:
    """Return the edges of a graph.

    Parameters
    ----------
    graph : Dag, graph object, matrix, mapping or iterable of pairs
        A graph object has `nodes`, `edges` and `is_directed`, as those of networkx. A matrix has 1 in row i,
        column j where j sees i. A mapping leads from parents to their children. Attributes of edges are
        ignored.

    Returns
    -------
    edges : list of (parent, child)
    agents : int or None
        How many the graph is of, if it says so.

    Raises
    ------
    DagError
        If it is none of these, undirected, or its nodes are not numbers.
    """
    if isinstance(graph, Dag):
        return list(graph.edges), graph.agents
    if hasattr(graph, "is_directed") and hasattr(graph, "nodes"):
        return _of_graph(graph)
    if isinstance(graph, Mapping):
        return edges_from((_number(parent), _number(child)) for parent, child in _pairs(graph)), None
    table = _as_matrix(graph)
    if table is not None:
        return _of_matrix(table)
    if isinstance(graph, bytes) or not isinstance(graph, Iterable):
        raise DagError(f"dag must be {EXPECTED}, got {quoted(graph)}")
    return edges_from(_without_attributes(pair) for pair in graph), None


def _of_graph(graph: Any) -> tuple[list[Edge], int | None]:
    if not graph.is_directed():
        raise DagError("dag must be a directed graph, got an undirected one: which end is the parent?")
    nodes = [_number(node) for node in graph.nodes]
    if sorted(nodes) != list(range(len(nodes))):
        raise DagError(
            f"nodes of a graph must be the agents 0..{len(nodes) - 1}, got {quoted(sorted(nodes))}"
        )
    return edges_from((_number(edge[0]), _number(edge[1])) for edge in graph.edges), len(nodes)


def _number(node: Any) -> Any:
    """Return the agent a node stands for; files of other programs have digits as text."""
    if isinstance(node, str) and node.isdecimal():
        return int(node)
    if isinstance(node, str) or not isinstance(node, int | float | np.number):
        raise DagError(
            f"nodes of a graph must be numbers of agents, got {quoted(node)}; with networkx, "
            "convert_node_labels_to_integers(graph, ordering='sorted') numbers them"
        )
    return node


def _pairs(graph: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    for parent, children in graph.items():
        some = children if isinstance(children, Iterable) and not isinstance(children, str) else [children]
        for child in some:
            yield parent, child


def _without_attributes(pair: Any) -> Any:
    """Return (parent, child) of (parent, child, {attribute: value})."""
    if isinstance(pair, tuple | list) and len(pair) == 3 and isinstance(pair[2], Mapping):
        return pair[:2]
    return pair


def _as_matrix(graph: Any) -> Any:
    """Return an array if that is what came, dense or sparse, or square nested lists of 0 and 1."""
    if hasattr(graph, "toarray"):
        return graph.toarray()
    if hasattr(graph, "__array__"):
        return np.asarray(graph)
    if isinstance(graph, list) and graph and all(isinstance(row, list) for row in graph):
        square = all(len(row) == len(graph) for row in graph)
        if square and all(_is_bit(entry) for row in graph for entry in row):
            return np.asarray(graph)
    return None


def _is_bit(entry: Any) -> bool:
    return not isinstance(entry, list | tuple) and np.ndim(entry) == 0 and entry in (0, 1)


def _of_matrix(table: Any) -> tuple[list[Edge], int | None]:
    """Return the edges of a matrix, or of a table with an edge a row.

    A square table of 0 and 1 is a matrix: two rows of edges between 0 and 1 could never be those of a DAG.
    """
    if table.size == 0:
        return [], None
    if table.dtype.kind not in "biuf":
        raise DagError(f"dag must be a matrix of numbers, got one of dtype {table.dtype}")
    if table.ndim == 2 and table.shape[0] == table.shape[1] and np.isin(table, (0, 1)).all():
        return [(int(parent), int(child)) for parent, child in np.argwhere(table)], len(table)
    if table.ndim == 2 and table.shape[1] == 2:
        return edges_from(table.tolist()), None
    raise DagError(
        "dag must be a square matrix of 0 and 1, or have two columns, parent and child, got shape "
        f"{table.shape}; of weights, (matrix != 0) makes one"
    )
