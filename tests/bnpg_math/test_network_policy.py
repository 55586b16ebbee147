"""A network as a policy: its gradient, masks, shut edges, the tile rule, and what it shows as a table."""

import numpy as np
import pytest

from bnpg.conformance import check_policy
from bnpg_math.errors import PolicyError
from bnpg_math.policies.categorical import entropy, even, log_probabilities
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.interface import Tabular, Tabulated
from bnpg_math.policies.network import StateNetworkPolicy, initial_network
from bnpg_math.policies.tabular import TabularSoftmax
from tests.bnpg_math.network_cases import NUMBERS, STATES, agree, case


@pytest.mark.parametrize("encoding", [NUMBERS, STATES])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("lanes", [1, 37, 1100])
def test_the_gradient_is_that_of_the_weighted_log_probabilities(encoding, masked, lanes):
    policy, seen, parents, actions, weights, legal = case(encoding, lanes, masked=masked)

    def height(theta):
        return float(weights @ policy.at(theta).log_pi(seen, parents, legal)[np.arange(lanes), actions])

    agree(policy.gradient(seen, parents, actions, weights, legal), height, policy.theta)


@pytest.mark.parametrize("masked", [False, True])
def test_the_barrier_of_numbers_is_on_the_contexts_visited_and_what_may_be_taken(masked):
    policy, seen, parents, actions, _, legal = case(NUMBERS, regularization=0.3, masked=masked)

    def height(theta):
        log_pi = policy.at(theta).log_pi(seen, parents, legal)
        return 0.3 * float(np.mean([row[np.isfinite(row)].mean() for row in log_pi]))

    agree(policy.gradient(seen, parents, actions, np.zeros(37), legal), height, policy.theta)


def test_the_barrier_of_states_is_that_of_a_table():
    policy, seen, parents, actions, weights, _ = case(STATES, regularization=0.3)

    def height(theta):
        table = policy.at(theta).log_table
        return float(weights @ table[seen, parents[0], actions]) + 0.3 * float(table.mean())

    agree(policy.gradient(seen, parents, actions, weights), height, policy.theta)


def test_an_exact_gradient_goes_through_the_chain_rule():
    policy, *_ = case(STATES, regularization=0.2)
    assert isinstance(policy, Tabular)
    flow = np.random.default_rng(5).normal(size=(5, 2, 4))

    def height(theta):
        table = policy.at(theta).log_table
        return float((flow * table).sum()) + 0.2 * float(table.mean())

    agree(policy.ascent(flow), height, policy.theta)
    with pytest.raises(PolicyError, match="no natural gradient"):
        policy.ascent(flow, flow)


def test_at_another_theta_a_network_is_of_the_same_kind():
    for encoding in (NUMBERS, STATES):
        policy, *_ = case(encoding, regularization=0.2)
        other = policy.at({name: array + 1.0 for name, array in policy.theta.items()})
        assert type(other) is type(policy)
        assert (other.encoding, other.hidden, other.actions) == (policy.encoding, (7, 6), 4)
        with pytest.raises(PolicyError, match=r"0\.bias of a network must have shape"):
            policy.at({**policy.theta, "0.bias": np.zeros(1)})


def test_a_linear_network_over_states_is_the_table_of_its_weights():
    encoding = Encoding(4, 0, ())
    theta = {"0.weight": np.random.default_rng(6).normal(size=(3, 4)), "0.bias": np.zeros(3)}
    network = StateNetworkPolicy(theta, encoding, (), 3)
    table = TabularSoftmax(theta["0.weight"].T.copy())
    rng = np.random.default_rng(7)
    seen, numbers, weights = rng.integers(4, size=200), rng.random(200), rng.normal(size=200)
    np.testing.assert_allclose(network.log_table, table.log_table, atol=1e-14)
    drawn = network.draw(seen, [], numbers)
    np.testing.assert_array_equal(drawn, table.draw(seen, [], numbers))
    mine = network.gradient(seen, [], drawn, weights)["0.weight"]
    np.testing.assert_allclose(mine.T, table.gradient(seen, [], drawn, weights)["theta"], atol=1e-12)


@pytest.mark.parametrize("encoding", [NUMBERS, STATES])
@pytest.mark.parametrize("masked", [False, True])
def test_any_tiles_of_the_lanes_draw_what_all_of_them_do(encoding, masked):
    policy, seen, parents, _, _, legal = case(encoding, 1300, masked=masked)
    numbers = np.random.default_rng(8).random(1300)
    whole = policy.log_pi(seen, parents, legal)
    drawn = policy.draw(seen, parents, numbers, legal)
    for start, stop in ((0, 1), (64, 65), (128, 300), (1024, 1300), (960, 1100), (1280, 1300)):
        part = slice(start, stop)
        own = None if legal is None else legal[part]
        cut = [one[part] for one in parents]
        with np.errstate(all="raise", under="ignore"):
            # What fills up a tile is no trouble either.
            alone = policy.log_pi(seen[part], cut, own)
        np.testing.assert_array_equal(alone, whole[part])
        np.testing.assert_array_equal(policy.draw(seen[part], cut, numbers[part], own), drawn[part])


@pytest.mark.parametrize("actions", [2, 4, 20])
def test_what_may_not_be_taken_is_never_drawn_and_the_rest_as_often_as_it_says(actions):
    policy, seen, parents, _, _, legal = case(NUMBERS, 64, actions=actions, masked=True)
    pi = np.exp(policy.log_pi(seen, parents, legal))
    assert (pi[legal == 0] == 0.0).all()
    np.testing.assert_allclose(pi.sum(axis=1), 1.0, atol=1e-14)
    numbers = (np.arange(4000) + 0.5) / 4000
    for lane in (0, 63):
        same = slice(lane, lane + 1)
        row = [np.repeat(one[same], 4000, axis=0) for one in (seen, *parents, legal)]
        drawn = policy.draw(row[0], row[1:-1], numbers, row[-1])
        shares = np.bincount(drawn.astype(int), minlength=actions) / 4000
        np.testing.assert_allclose(shares, pi[lane], atol=3e-4)
        assert not shares[legal[lane] == 0].any()
    for edge in (0.0, np.nextafter(1.0, 0.0)):
        drawn = policy.draw(seen, parents, np.full(64, edge), legal)
        assert legal[np.arange(64), drawn].all()


def test_a_mask_of_ones_changes_no_bit():
    policy, seen, parents, actions, weights, _ = case(NUMBERS)
    ones = np.ones((37, 4), dtype=np.uint8)
    np.testing.assert_array_equal(policy.log_pi(seen, parents, ones), policy.log_pi(seen, parents))
    free = policy.gradient(seen, parents, actions, weights)
    for name, array in policy.gradient(seen, parents, actions, weights, ones).items():
        np.testing.assert_array_equal(array, free[name])


def test_a_shut_edge_says_nothing_and_learns_nothing():
    policy, seen, parents, actions, weights, _ = case(Encoding(0, 3, (2, 4), frozenset({1})))
    other = [parents[0], (parents[1] + 1) % 4]
    np.testing.assert_array_equal(policy.log_pi(seen, parents), policy.log_pi(seen, other))
    gradient = policy.gradient(seen, parents, actions, weights)
    assert not gradient["0.weight"][:, 5:].any()
    assert gradient["0.weight"][:, :5].any()


@pytest.mark.parametrize("regularization", [0.0, 0.1])
def test_networks_are_policies_to_learn_with(regularization):
    policy, seen, *_ = case(NUMBERS, regularization=regularization)
    assert not isinstance(policy, Tabulated)
    check_policy(policy, states=0, parents=(2, 4), actions=4, seen=seen)
    check_policy(case(STATES, regularization=regularization)[0], states=5, parents=(2,), actions=4)


def test_the_first_policy_is_nearly_even_and_its_own():
    first = initial_network(3, 0, NUMBERS, (64, 64), 4)
    _, seen, parents, *_ = case(NUMBERS)
    assert np.abs(np.exp(first.log_pi(seen, parents)) - 0.25).max() < 0.02
    other = initial_network(3, 1, NUMBERS, (64, 64), 4)
    assert not np.array_equal(first.log_pi(seen, parents), other.log_pi(seen, parents))


def test_what_does_not_fit_is_refused():
    policy, seen, parents, *_ = case(NUMBERS)
    with pytest.raises(ValueError, match="expected 37 uniforms"):
        policy.draw(seen, parents, np.zeros(36))
    with pytest.raises(ValueError, match="2 parents, got"):
        policy.log_pi(seen, parents[:1])
    with pytest.raises(ValueError, match=r"parents' actions must have shape \(37,\)"):
        policy.log_pi(seen, [parents[0], parents[1][:1]])
    with pytest.raises(ValueError, match=r"expected \(37, 3\) seen"):
        policy.log_pi(seen[:, :2], parents)
    with pytest.raises(PolicyError, match="sees a state or numbers"):
        Encoding(2, 3, ())
    with pytest.raises(PolicyError, match="shut edges must be in"):
        Encoding(0, 3, (2,), frozenset({1}))
    with pytest.raises(PolicyError, match="must see states"):
        StateNetworkPolicy(policy.theta, NUMBERS, policy.hidden, 4)


def test_a_softmax_over_what_may_be_taken():
    logits = np.array([[700.0, -700.0, 0.0], [1.0, 2.0, 3.0]])
    legal = np.array([[0, 1, 0], [1, 1, 0]], dtype=np.uint8)
    log_pi = log_probabilities(logits, legal)
    np.testing.assert_array_equal(log_pi[0], [-np.inf, 0.0, -np.inf])
    np.testing.assert_allclose(np.exp(log_pi[1]), [1 / (1 + np.e), np.e / (1 + np.e), 0.0])
    np.testing.assert_array_equal(even(log_pi), [[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    p = 1 / (1 + np.e)
    np.testing.assert_allclose(entropy(log_pi), [0.0, -p * np.log(p) - (1 - p) * np.log(1 - p)])
