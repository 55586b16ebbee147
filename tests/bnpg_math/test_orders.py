"""Orders of acting: permutations all, without fill where none is needed, and flat where they can be."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.dag import line, random_dag
from bnpg_math.dag.orders import candidate_orders, fewest_additions, nested_dissection
from bnpg_math.dag.perfect import elimination_dag, height, is_perfect


@given(seed=st.integers(0, 200), agents=st.integers(1, 9))
def test_every_order_is_a_permutation_and_makes_a_perfect_dag_with_all_pairs(seed, agents):
    pairs = random_dag(agents, 0.3, np.random.default_rng(seed)).edges
    orders = list(candidate_orders(agents, pairs))[:40]
    for order in orders:
        assert sorted(order) == list(range(agents))
        dag = elimination_dag(agents, pairs, order)
        assert is_perfect(dag)
        adjacent = {frozenset(edge) for edge in dag.edges}
        assert {frozenset(pair) for pair in pairs} <= adjacent


@given(seed=st.integers(0, 100))
def test_a_tree_needs_no_additions(seed):
    tree = nx.random_labeled_tree(9, seed=seed)
    assert len(elimination_dag(9, tree.edges, fewest_additions(9, tree.edges)).edges) == 8
    fewest = min(
        len(elimination_dag(9, tree.edges, order).edges) for order in candidate_orders(9, tree.edges)
    )
    assert fewest == 8


@pytest.mark.parametrize("agents", [7, 10, 31, 62])
def test_nested_dissection_of_a_chain_is_as_flat_as_a_binary_tree(agents):
    dag = elimination_dag(agents, line(agents).edges, nested_dissection(agents, line(agents).edges))
    assert height(dag) <= np.ceil(np.log2(agents + 1)) + 1
    assert max(map(len, dag.families)) <= 3


def test_a_ring_gets_chords_and_parts_that_are_apart_stay_apart():
    ring = [(agent, (agent + 1) % 6) for agent in range(6)]
    assert len(elimination_dag(6, ring, fewest_additions(6, ring)).edges) == 6 + 3
    apart = elimination_dag(4, [(0, 1), (2, 3)], nested_dissection(4, [(0, 1), (2, 3)]))
    assert len(apart.edges) == 2
