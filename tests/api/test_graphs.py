"""Graphs of other programs: taken for what they say, or refused with the way to convert them."""

import collections
from typing import Any

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_array

import bnpg
from bnpg.api.graphs import edges_of
from bnpg.lab.testing.imports import loaded_by
from bnpg_math.dag import Dag

MATRIX = np.array([[0, 1, 1], [0, 0, 0], [0, 1, 0]])
EDGES = [(0, 1), (0, 2), (2, 1)]

GRAPHS: dict[str, Any] = {
    "Dag": Dag(3, tuple(EDGES)),
    "pairs": EDGES,
    "lists": [[0, 1], [0, 2], [2, 1]],
    "generator": lambda: iter(EDGES),
    "numpy integers": [tuple(np.array(edge, dtype=np.uint8)) for edge in EDGES],
    "array of edges": np.array(EDGES),
    "floats that are whole": np.array(EDGES, dtype=float),
    "pairs with attributes": [(0, 1, {"weight": 2}), (0, 2, {}), (2, 1, {})],
    "matrix": MATRIX,
    "matrix of truths": MATRIX.astype(bool),
    "matrix of floats": MATRIX.astype(float),
    "sparse matrix": csr_array(MATRIX),
    "nested lists": MATRIX.tolist(),
    "DiGraph": nx.DiGraph(EDGES),
    "DiGraph with attributes": nx.from_numpy_array(MATRIX, create_using=nx.DiGraph),
    "MultiDiGraph": nx.MultiDiGraph(EDGES),
    "digits as labels": nx.DiGraph([("0", "1"), ("0", "2"), ("2", "1")]),
    "children of parents": {0: [1, 2], 2: [1]},
    "a child of a parent": {0: {1, 2}, 2: 1},
    "networkx as dictionaries": nx.to_dict_of_dicts(nx.DiGraph(EDGES)),
    "defaultdict": collections.defaultdict(list, {0: [2, 1], 2: [1]}),
}


@pytest.mark.parametrize("form", GRAPHS)
def test_every_form_of_a_graph_has_its_edges(form: str) -> None:
    graph = GRAPHS[form]
    edges, agents = edges_of(graph() if callable(graph) else graph)
    assert sorted(edges) == EDGES
    assert agents in (3, None)


def test_two_rows_of_0_and_1_are_a_matrix_for_they_are_the_edges_of_no_dag() -> None:
    assert edges_of(np.array([[0, 1], [0, 0]])) == ([(0, 1)], 2)
    assert edges_of([[0, 0], [1, 0]]) == ([(1, 0)], 2)
    for zero, one in (
        (np.False_, np.True_),
        (False, True),
        (0.0, 1.0),
        (np.int8(0), np.float32(1)),
        (np.array(0), np.array(1)),
    ):
        assert edges_of([[zero, one], [zero, zero]]) == ([(0, 1)], 2)
    assert edges_of([(0, 1), (0, 2)]) == ([(0, 1), (0, 2)], None)


@pytest.mark.parametrize(
    "nothing", [[], {}, np.zeros((0, 2)), np.zeros((3, 3)), nx.empty_graph(3, nx.DiGraph)]
)
def test_no_edges_are_no_edges(nothing: Any) -> None:
    assert edges_of(nothing)[0] == []


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ([(0.5, 1.7)], r"edge 0.5-1.7 must join integers, got 0.5"),
        (np.array([[0.5, 1.7]]), r"edge 0.5-1.7 must join integers, got 0.5"),
        ([("a", "b")], "edge a-b must join integers, got 'a'"),
        ([(0, 1, 2)], r"an edge must be a pair \(parent, child\), got \(0, 1, 2\)"),
        (nx.Graph(EDGES), "which end is the parent"),
        (nx.DiGraph([("lead", "follow")]), r"got 'lead'; with networkx, convert_node_labels_to_integers"),
        (nx.DiGraph([(1, 2)]), r"must be the agents 0\.\.1, got \[1, 2\]"),
        ({"lead": ["follow"]}, "got 'lead'"),
        (np.array([[0.0, 0.3], [0.0, 0.0], [1.0, 0.0]]), "edge 0.0-0.3 must join integers, got 0.3"),
        (np.zeros((3, 4)), r"square matrix of 0 and 1, or have two columns.* got shape \(3, 4\)"),
        (np.full((3, 3), 0.5), r"of weights, \(matrix != 0\) makes one"),
        (np.array([["a"]]), "matrix of numbers, got one of dtype <U1"),
        (7, "dag must be a name, a path, a Dag, pairs .*, got 7"),
        (b"0-1", "got b'0-1'"),
        (Dag(4, ((0, 1),)), "one of 2 agents as the game, got one of 4"),
        (np.zeros((3, 3)), "one of 2 agents as the game, got one of 3"),
    ],
)
def test_what_is_no_graph_of_the_team_is_refused_in_one_line(graph: Any, message: str, here: Any) -> None:
    with pytest.raises(bnpg.InputError, match=message) as error:
        bnpg.train("climbing", dag=graph, mode="exact", rounds=0)
    assert "\n" not in str(error.value)
    assert list(here.iterdir()) == []


def test_a_path_object_is_a_file_of_edges(here: Any) -> None:
    (here / "team.edges").write_text("1 0\n")
    assert bnpg.train("climbing", dag=here / "team.edges", mode="exact", rounds=0).dag.edges == ((1, 0),)


def test_a_dag_needs_no_graph_library() -> None:
    assert loaded_by("from bnpg_math.dag import Dag; Dag(2, ((0, 1),)).order", ["networkx"]) == []
