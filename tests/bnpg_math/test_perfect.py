"""Perfect DAGs and the forest of last parents."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.dag import FAMILIES, Dag, line, random_dag
from bnpg_math.dag.perfect import (
    elimination_dag,
    height,
    is_perfect,
    last_parents,
    unmarried,
)


def skeleton(dag):
    graph = nx.Graph()
    graph.add_nodes_from(range(dag.agents))
    graph.add_edges_from(dag.edges)
    return graph


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_named_family_is_perfect(name):
    assert is_perfect(FAMILIES[name](6))


def test_a_common_child_of_strangers_is_named():
    dag = Dag(4, ((0, 3), (2, 3), (1, 2)))
    assert not is_perfect(dag)
    assert unmarried(dag) == ((0, 2),)


@given(seed=st.integers(0, 500), agents=st.integers(1, 7))
def test_a_perfect_dag_has_a_chordal_skeleton_and_its_families_are_cliques(seed, agents):
    dag = random_dag(agents, 0.5, np.random.default_rng(seed))
    cliques = {frozenset(clique) for clique in nx.find_cliques(skeleton(dag))}
    if is_perfect(dag):
        assert nx.is_chordal(skeleton(dag)) or agents < 4
        families = {frozenset(family) for family in dag.families}
        assert {one for one in families if not any(one < other for other in families)} == cliques
    else:
        assert not {frozenset(family) for family in dag.families} <= {
            frozenset(part) for clique in cliques for size in range(1, agents + 1)
            for part in combinations(sorted(clique), size)
        }  # fmt: skip


@given(seed=st.integers(0, 500), agents=st.integers(1, 7))
def test_all_parents_but_the_last_are_parents_of_the_last(seed, agents):
    """What Theorem D1 rests on: P_i is part of the family of m(i)."""
    rng = np.random.default_rng(seed)
    dag = elimination_dag(
        agents, random_dag(agents, 0.4, rng).edges, [int(one) for one in rng.permutation(agents)]
    )
    assert is_perfect(dag)
    for agent, last in enumerate(last_parents(dag)):
        if last is None:
            assert not dag.parents[agent]
        else:
            assert set(dag.parents[agent]) <= set(dag.families[last])


@given(seed=st.integers(0, 500), agents=st.integers(1, 6))
def test_elimination_adds_no_edge_to_a_dag_that_is_perfect_in_that_order(seed, agents):
    dag = random_dag(agents, 0.5, np.random.default_rng(seed))
    same = elimination_dag(agents, dag.edges, dag.order)
    assert set(dag.edges) <= set(same.edges)
    assert (same == dag) == is_perfect(dag)


def test_the_height_of_a_chain_depends_on_where_it_is_rooted():
    assert height(line(7)) == 7
    centred = Dag(7, ((3, 2), (2, 1), (1, 0), (3, 4), (4, 5), (5, 6)))
    assert height(centred) == 4
    assert height(Dag(3)) == 1
