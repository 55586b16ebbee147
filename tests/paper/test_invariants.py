"""What update (3) conserves, for every DAG (sections 3 and 4.1)."""

import numpy as np
import pytest

from bnpg_math.dag import FAMILIES, Dag

DAGS = [*sorted(FAMILIES), Dag(3, ((2, 0), (0, 1)))]


@pytest.mark.parametrize("dag", DAGS, ids=str)
def test_row_sums_of_theta_never_change(place, dag):
    """Section 4.1: rows of Lemma 1 sum to zero, so (3) conserves row sums."""
    here = place(0, dag, actions=3)
    moved = here
    for _ in range(50):
        moved = moved.step(0.1)
    for before, after in zip(here.thetas, moved.thetas, strict=True):
        np.testing.assert_allclose(after.sum(axis=-1), before.sum(axis=-1), atol=1e-12)


@pytest.mark.parametrize("dag", DAGS, ids=str)
def test_local_barriers_add_up_to_the_joint_one(place, dag):
    """Section 4.1: sum_i E KL(Unif || pi^i) = E_s KL(Unif || pi(.|s)), whatever the DAG."""
    here = place(1, dag, actions=3)
    local = sum(-np.log(table).mean() - np.log(table.shape[-1]) for table in here.tables)
    joint = -np.log(here.values.pi).mean() - np.log(here.game.joint_actions)
    assert local == pytest.approx(joint, rel=1e-12)


def test_edges_do_not_raise_the_optimum(place):
    """Full observability: a deterministic optimum is a product policy; edges change the landscape alone."""
    from bnpg_math.arrays.joint import joint_policy
    from bnpg_math.exact.optimum import optimal_value

    here = place(2, "empty", actions=3)
    best = optimal_value(here.game)
    tables = [best.policy.sum(axis=tuple(k for k in (1, 2, 3) if k != 1 + agent)) for agent in range(3)]
    np.testing.assert_array_equal(joint_policy(tables, here.dag), best.policy)
