import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.learning.objective import barrier, objective


def divergence(pi):
    """KL(Unif || pi) of every row."""
    return -np.log(pi).mean(axis=-1) - np.log(pi.shape[-1])


def test_the_barrier_vanishes_at_the_uniform_policy():
    uniform = [np.log(np.full((3, 2, 4), 0.25)), np.log(np.full((3, 2), 0.5))]
    assert barrier(uniform, 5.0) == pytest.approx(0.0, abs=1e-15)
    assert objective(2.5, uniform, 5.0) == pytest.approx(2.5)


@given(seed=st.integers(0, 10**6))
def test_the_barrier_is_the_divergence_from_the_uniform_policy(problem, seed):
    case = problem(seed)
    expected = -0.7 * sum(divergence(table).mean() for table in case.tables)
    assert barrier(case.log_tables, 0.7) == pytest.approx(expected, abs=1e-12)


@given(seed=st.integers(0, 10**6))
def test_the_divergences_of_the_agents_add_up_to_that_of_the_team(problem, seed):
    """sum_i E KL(Unif || pi^i) = E_s KL(Unif || pi(.|s)) for every DAG."""
    case = problem(seed)
    joint = divergence(case.joint.reshape(case.game.states, -1)).mean()
    assert -barrier(case.log_tables, 1.0) == pytest.approx(joint, abs=1e-10)
