"""Policies on other graphs: parents are summed out by what was met, and new ones change nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError
from bnpg_math.policies.pruning import regraphed, summed_out

ACTIONS = (2, 3, 2)
COMPLETE = Dag(3, ((0, 1), (0, 2), (1, 2)))


def random_tables(seed: int, dag: Dag = COMPLETE, states: int = 2) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    shapes = [(states, *(ACTIONS[one] for one in (*dag.parents[i], i))) for i in range(dag.agents)]
    raw = [draw.exponential(size=shape) for shape in shapes]
    return [one / one.sum(axis=-1, keepdims=True) for one in raw]


def visits_of(tables: list[np.ndarray], dag: Dag, many: float) -> list[np.ndarray]:
    """How often each row is acted from in `many` plays of each state, on average."""
    pi = joint_policy(tables, dag)
    found = []
    for parents in dag.parents:
        others = tuple(1 + one for one in range(dag.agents) if one not in parents)
        found.append(many * pi.sum(axis=others))
    return found


@given(st.integers(0, 2**32))
def test_summing_out_by_true_visits_keeps_what_the_child_does(seed: int) -> None:
    tables = random_tables(seed)
    visits = visits_of(tables, COMPLETE, 1e12)
    smaller = Dag(3, ((0, 1), (0, 2)))
    pruned = regraphed(tables, visits, COMPLETE, smaller, ACTIONS)
    before, after = joint_policy(tables, COMPLETE), joint_policy(pruned, smaller)
    # Agent 2 still does with agent 0 what it did.
    np.testing.assert_allclose(before.sum(axis=2), after.sum(axis=2), rtol=0, atol=1e-9)


@given(st.integers(0, 2**32))
def test_edges_put_in_change_nothing_and_can_be_taken_out_again(seed: int) -> None:
    line = Dag(3, ((0, 1), (1, 2)))
    tables = random_tables(seed, line)
    visits = visits_of(tables, line, 100.0)
    larger = regraphed(tables, visits, line, COMPLETE, ACTIONS)
    np.testing.assert_array_equal(joint_policy(larger, COMPLETE), joint_policy(tables, line))
    again = regraphed(larger, visits_of(list(larger), COMPLETE, 100.0), COMPLETE, line, ACTIONS)
    for one, other in zip(again, tables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_who_keeps_its_parents_keeps_its_table() -> None:
    tables = random_tables(0)
    pruned = regraphed(tables, visits_of(tables, COMPLETE, 9.0), COMPLETE, Dag(3, ((0, 1), (0, 2))), ACTIONS)
    assert pruned[0] is tables[0]
    assert pruned[1] is tables[1]


def test_what_was_never_met_counts_alike() -> None:
    table = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    np.testing.assert_array_equal(summed_out(table, np.zeros((1, 2)), [1]), [[0.5, 0.5]])
    np.testing.assert_allclose(summed_out(table, np.array([[1e12, 0.0]]), [1]), [[1.0, 0.0]], atol=1e-11)


def test_another_number_of_agents_is_refused() -> None:
    tables = random_tables(0)
    with pytest.raises(DagError, match="the graph is of 2 agents, the policy of 3"):
        regraphed(tables, [], COMPLETE, Dag(2), ACTIONS)
