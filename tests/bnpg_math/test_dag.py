import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.dag import FAMILIES, Dag, random_dag
from bnpg_math.errors import DagError


def test_families_have_the_edges_their_names_say():
    assert FAMILIES["empty"](3).edges == ()
    assert FAMILIES["line"](4).edges == ((0, 1), (1, 2), (2, 3))
    assert FAMILIES["star"](4).edges == ((0, 1), (0, 2), (0, 3))
    assert FAMILIES["complete"](3).edges == ((0, 1), (0, 2), (1, 2))


@pytest.mark.parametrize("name", list(FAMILIES))
def test_one_agent_is_a_team(name):
    dag = FAMILIES[name](1)
    assert dag == Dag(1)
    assert dag.order == (0,)
    assert dag.depth == 0
    assert dag.is_complete


def test_the_order_need_not_be_that_of_the_numbers():
    dag = Dag(4, ((3, 1), (1, 0), (3, 0)))
    assert dag.order == (2, 3, 1, 0)
    assert dag.parents == ((1, 3), (3,), (), ())
    assert dag.children == ((), (0,), (), (0, 1))
    assert dag.families == ((1, 3, 0), (3, 1), (2,), (3,))
    assert dag.depth == 2


def test_edges_are_sorted_so_that_equal_graphs_are_equal():
    assert Dag(3, ((1, 2), (0, 1))) == Dag(3, ((0, 1), (1, 2)))


@pytest.mark.parametrize(
    ("agents", "edges", "message"),
    [
        (0, (), "at least one agent, got 0"),
        (2, ((0, 2),), r"edge 0-2 must join agents 0\.\.1"),
        (2, ((-1, 0),), r"edge -1-0 must join"),
        (2, ((1, 1),), "edge 1-1 is a loop"),
        (2, ((0, 1), (0, 1)), "edge 0-1 is given twice"),
        (3, ((0, 1), (1, 2), (2, 0)), "no cycle, got 0 -> 1 -> 2 -> 0"),
        (2, ((0, 1), (1, 0)), "no cycle, got 0 -> 1 -> 0"),
        (5, ((4, 0), (1, 3), (3, 2), (2, 1), (1, 0)), "no cycle, got 1 -> 3 -> 2 -> 1"),
        (2, ((0.5, 1.7),), "edge 0.5-1.7 must join integers, got 0.5"),
        (2, (("0", "1"),), "edge 0-1 must join integers, got '0'"),
        (2, ((0, 1, 2),), r"must be a pair \(parent, child\), got \(0, 1, 2\)"),
        (2.5, (), "number of agents, got 2.5"),
        (10**18, (), "at most 10000 agents, got 1000000000000000000"),
        (1e308, (), "at most 10000 agents, got an integer of 1024 bits"),
    ],
)
def test_what_is_no_dag_is_refused_by_name(agents, edges, message):
    with pytest.raises(DagError, match=message):
        Dag(agents, edges)


def test_numbers_too_long_to_be_written_are_refused_by_their_length():
    long = "an integer of 16610 bits"
    for agents, edges, message in (
        (-(10**5000), (), "at least one agent, got a negative integer of 16610 bits"),
        (10**5000, (), f"at most 10000 agents, got {long}"),
        (2, ((0, 10**5000),), rf"edge 0-{long} must join agents 0\.\.1"),
        (2, ((10**5000, "1"),), f"edge {long}-1 must join integers, got '1'"),
    ):
        with pytest.raises(DagError, match=message):
            Dag(agents, edges)


def test_numbers_of_any_kind_become_pythons_own():
    dag = Dag(np.int64(3), ((np.uint8(2), 0.0), np.array([0, 1])))
    assert dag == Dag(3, ((0, 1), (2, 0)))
    assert {type(number) for edge in dag.edges for number in (dag.agents, *edge)} == {int}


@given(agents=st.integers(1, 9), density=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_order_and_depth_are_those_of_a_graph_library(agents, density, seed):
    dag = random_dag(agents, density, np.random.default_rng(seed))
    graph = nx.DiGraph(list(dag.edges))
    graph.add_nodes_from(range(agents))
    assert dag.order == tuple(nx.lexicographical_topological_sort(graph))
    assert dag.depth == nx.dag_longest_path_length(graph)


@given(agents=st.integers(1, 7), density=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_every_parent_precedes_its_child(agents, density, seed):
    dag = random_dag(agents, density, np.random.default_rng(seed))
    position = {agent: place for place, agent in enumerate(dag.order)}
    assert sorted(position) == list(range(agents))
    assert all(position[parent] < position[child] for parent, child in dag.edges)
    assert sum(len(parents) for parents in dag.parents) == len(dag.edges)
    assert all(list(parents) == sorted(parents) for parents in dag.parents)


def test_density_one_gives_a_complete_dag():
    assert random_dag(5, 1.0, np.random.default_rng(0)).is_complete
