import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag


@given(seed=st.integers(0, 10**6))
def test_it_is_the_product_over_the_agents(problem, enumerated_joint, seed):
    case = problem(seed)
    expected = enumerated_joint(case.game, case.dag, case.tables)
    np.testing.assert_allclose(case.joint, expected, rtol=1e-13)


@given(seed=st.integers(0, 10**6))
def test_it_sums_to_one_and_has_the_tables_as_conditionals(problem, seed):
    case = problem(seed)
    pi, agents = case.joint, case.game.agents
    np.testing.assert_allclose(pi.reshape(case.game.states, -1).sum(axis=1), 1.0, rtol=1e-13)
    for agent, family in enumerate(case.dag.families):
        outside = tuple(j + 1 for j in range(agents) if j not in family)
        marginal = pi.sum(axis=outside, keepdims=True)
        conditional = marginal / marginal.sum(axis=agent + 1, keepdims=True)
        order = [0, *(m + 1 for m in family), *outside]
        shape = case.tables[agent].shape
        np.testing.assert_allclose(
            conditional.transpose(order).reshape(shape), case.tables[agent], rtol=1e-11
        )


def test_the_result_is_the_callers_own():
    table = np.array([[0.25, 0.75]])
    joint = joint_policy([table], Dag(1))
    joint[0, 0] = 9.0
    assert table[0, 0] == 0.25


def test_a_missing_table_is_refused():
    with pytest.raises(ValueError, match="expected 2 tables"):
        joint_policy([np.ones((1, 1))], Dag(2))
