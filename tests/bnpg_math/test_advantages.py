"""Local advantages against their definition, in exact fractions, however small the probabilities are."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, complete, random_dag
from bnpg_math.learning.advantages import local_advantages
from bnpg_math.learning.gradient import local_flows
from bnpg_math.policies.softmax import log_policy, theta_shape

SEEDS = st.integers(0, 2**32 - 1)


def team(seed, spread, dag=None):
    rng = np.random.default_rng(seed)
    agents = int(rng.integers(1, 5)) if dag is None else dag.agents
    dag = random_dag(agents, 0.5, rng) if dag is None else dag
    actions = tuple(int(count) for count in rng.integers(1, 4, size=agents))
    Q = rng.normal(size=(2, *actions))
    tables = [
        log_policy(spread * rng.normal(size=theta_shape(2, actions, dag.parents[agent], agent)))
        for agent in range(agents)
    ]
    return dag, Q, tables


@settings(max_examples=80, deadline=None)
@given(SEEDS)
def test_they_are_the_flow_divided_by_the_visits_where_that_can_be_computed(seed):
    dag, Q, log_tables = team(seed, 1.0)
    tables = [np.exp(table) for table in log_tables]
    pi = joint_policy(tables, dag)
    for found, m, mass, table in zip(
        local_advantages(Q, log_tables, dag),
        local_flows(pi * Q, dag.families),
        local_flows(pi, dag.families),
        tables,
        strict=True,
    ):
        value = m / mass
        np.testing.assert_allclose(found, value - (table * value).sum(-1, keepdims=True), atol=1e-13)


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.sampled_from([3.0, 300.0, 3000.0]))
def test_differences_within_a_row_are_exact_however_improbable_the_row(seed, spread):
    """Powers of two are fractions, so the definition can be followed exactly."""
    rng = np.random.default_rng(seed)
    dag, Q, tables = team(seed, 0.0, random_dag(3, 0.7, rng))
    log_tables, powers = [], []
    for table in tables:
        power = np.rint(spread * rng.normal(size=table.shape))
        powers.append(power)
        log_tables.append(log_policy(power * np.log(2.0)))
    norms = [
        np.array([sum(Fraction(2) ** int(x) for x in row) for row in power.reshape(-1, power.shape[-1])])
        for power in powers
    ]
    scaled = [
        {
            place: Fraction(2) ** int(power[place]) / norm[np.ravel_multi_index(place[:-1], power.shape[:-1])]
            for place in np.ndindex(power.shape)
        }
        for power, norm in zip(powers, norms, strict=True)
    ]
    for agent, family in enumerate(dag.families):
        found = local_advantages(Q, log_tables, dag)[agent]
        mass, value = {}, {}
        for state in range(len(Q)):
            for joint in product(*(range(count) for count in Q.shape[1:])):
                p = Fraction(1)
                for other, members in enumerate(dag.families):
                    p *= scaled[other][(state, *(joint[member] for member in members))]
                place = (state, *(joint[member] for member in family))
                mass[place] = mass.get(place, 0) + p
                value[place] = value.get(place, 0) + p * Fraction(float(Q[(state, *joint)]))
        for row in np.ndindex(found.shape[:-1]):
            exact = [value[*row, action] / mass[*row, action] for action in range(found.shape[-1])]
            got = found[row] - found[row][0]
            want = [float(one - exact[0]) for one in exact]
            np.testing.assert_allclose(got, want, atol=1e-10)


def test_a_row_whose_probability_underflows_still_has_its_advantages():
    dag = complete(3)
    Q = np.zeros((1, 2, 2, 3))
    Q[0, 1, 1] = [10.0, -100.0, -100.0]
    small = -500.0  # a product of two is 0
    log_tables = [
        log_policy(np.array([[0.0, small]])),
        log_policy(np.array([[[0.0, 0.0], [0.0, small]]])),
        log_policy(np.zeros((1, 2, 2, 3))),
    ]
    advantage = local_advantages(Q, log_tables, dag)[2]
    np.testing.assert_allclose(advantage[0, 1, 1], np.array([220.0, -110.0, -110.0]) / 3)


def test_what_all_actions_of_a_state_have_in_common_costs_no_digits():
    dag, Q, log_tables = team(5, 1.0, Dag(3, ((0, 1), (1, 2))))
    Q = np.rint(Q * 2**20) / 2**20  # exact after adding 2^30
    for one, other in zip(
        local_advantages(Q, log_tables, dag), local_advantages(Q + 2.0**30, log_tables, dag), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


@pytest.mark.parametrize("edges", [(), ((0, 1), (1, 2)), ((2, 0), (2, 1), (0, 1))])
def test_rows_have_mean_zero(edges):
    dag, Q, log_tables = team(11, 2.0, Dag(3, edges))
    for advantage, table in zip(local_advantages(Q, log_tables, dag), log_tables, strict=True):
        assert np.abs((np.exp(table) * advantage).sum(axis=-1)).max() < 1e-14
