"""Networks that hear less: what can be predicted is not lost, what cannot becomes what is expected."""

import numpy as np
import pytest

from bnpg_math.dag import Dag
from bnpg_math.errors import DagError
from bnpg_math.networks.mlp import initial
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.network import NetworkPolicy
from bnpg_math.policies.network_file import NetworkTeam
from bnpg_math.policies.network_pruning import InputMoments, regraphed_networks

COMPLETE = Dag(3, ((0, 1), (0, 2), (1, 2)))
ACTIONS, WIDTH, HIDDEN = (3, 3, 2), 2, (8,)


def encoding(dag: Dag, agent: int) -> Encoding:
    return Encoding(0, WIDTH, tuple(ACTIONS[parent] for parent in dag.parents[agent]))


def team(dag: Dag = COMPLETE) -> NetworkTeam:
    return NetworkTeam(
        dag,
        tuple(
            initial(3, agent, encoding(dag, agent).size, HIDDEN, ACTIONS[agent], 1.0)
            for agent in range(dag.agents)
        ),
    )


def met(seen: np.ndarray, actions: list[np.ndarray], dag: Dag = COMPLETE) -> list[InputMoments]:
    moments = [InputMoments(encoding(dag, agent)) for agent in range(dag.agents)]
    for agent, one in enumerate(moments):
        one.add(seen, [actions[parent] for parent in dag.parents[agent]])
    return moments


def log_pi(networks: NetworkTeam, agent: int, seen: np.ndarray, actions: list[np.ndarray]) -> np.ndarray:
    dag = networks.dag
    policy = NetworkPolicy(networks.thetas[agent], encoding(dag, agent), HIDDEN, ACTIONS[agent])
    return policy.log_pi(seen, [actions[parent] for parent in dag.parents[agent]])


def drawn(count: int = 5000) -> tuple[np.ndarray, list[np.ndarray]]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(count, WIDTH)), [draw.integers(many, size=count) for many in ACTIONS]


def test_a_parent_whose_action_another_one_gives_away_is_not_missed():
    seen, actions = drawn()
    actions[1] = (actions[0] + 1) % 3
    pruned = regraphed_networks(team(), met(seen, actions), Dag(3, ((0, 1), (0, 2))))
    np.testing.assert_allclose(log_pi(pruned, 2, seen, actions), log_pi(team(), 2, seen, actions), atol=2e-3)


def test_a_parent_that_nothing_gives_away_is_expected():
    seen, actions = drawn(50_000)
    actions[1] = np.where(np.arange(len(seen)) % 4 == 0, 2, 0)
    pruned = regraphed_networks(team(), met(seen, actions), Dag(3, ((0, 1), (0, 2))))
    theta = team().thetas[2]
    first, start = theta["0.weight"], WIDTH + ACTIONS[0]
    expected = theta["0.bias"] + first[:, start : start + 3] @ np.array([0.75, 0.0, 0.25])
    # One-hot inputs that are kept share the constant among them, whichever of the two carries it.
    kept = pruned.thetas[2]["0.weight"][:, WIDTH : WIDTH + 3] - first[:, WIDTH : WIDTH + 3]
    got = pruned.thetas[2]["0.bias"] + kept.mean(axis=1)
    np.testing.assert_allclose(got, expected, atol=0.02)


def test_who_keeps_its_parents_keeps_its_network_to_the_bit():
    seen, actions = drawn(100)
    pruned = regraphed_networks(team(), met(seen, actions), Dag(3, ((0, 1), (1, 2))))
    for agent in (0, 1):
        assert pruned.thetas[agent] is team().thetas[agent] or all(
            (pruned.thetas[agent][name] == array).all() for name, array in team().thetas[agent].items()
        )
    assert pruned.inputs(2) == team().inputs(2) - ACTIONS[0]


def test_a_new_parent_makes_no_difference_yet():
    seen, actions = drawn(100)
    sparse = Dag(3, ((1, 2),))
    before = team(sparse)
    larger = regraphed_networks(before, met(seen, actions, sparse), COMPLETE)
    for agent in range(3):
        np.testing.assert_allclose(
            log_pi(larger, agent, seen, actions), log_pi(before, agent, seen, actions), rtol=1e-12
        )


def test_where_nothing_was_met_every_action_is_expected_alike():
    moments = [InputMoments(encoding(COMPLETE, agent)) for agent in range(3)]
    pruned = regraphed_networks(team(), moments, Dag(3, ((0, 2), (1, 2))))
    theta = team().thetas[1]
    even = theta["0.bias"] + theta["0.weight"][:, WIDTH:].mean(axis=1)
    np.testing.assert_allclose(pruned.thetas[1]["0.bias"], even, rtol=1e-12)


def test_graphs_of_other_agents_are_refused():
    with pytest.raises(DagError, match="the graph is of 2 agents, the policy of 3"):
        regraphed_networks(team(), [], Dag(2))
