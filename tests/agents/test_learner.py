"""The learner: keyed actions, updates applied once, and two rounds kept for a replay."""

import numpy as np
import pytest
from bnpg_agents.learner import Learner
from bnpg_agents.local_policy import initial_theta
from bnpg_agents.snapshot import of_table
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import FlowBroadcast

from bnpg.lab.testing.fakes import welcome
from bnpg_math.errors import PolicyError
from bnpg_math.learning.estimators import sampled_flow
from bnpg_math.learning.natural import side_by_side
from bnpg_math.policies.simplex import nearest_distributions

LANES = 64
STATES = np.arange(LANES) % 4
FAMILY = {"parents": (0,), "parent_actions": (2,), "actions": 3}
PARENT = np.arange(LANES) % 2


def learner(agent=1, held=None, **fields):
    return Learner(welcome(agent, **(FAMILY | fields)), held or {})


def acted(one, round_=0, step=0):
    return one.act(round_, step, 0, STATES, [PARENT]).tolist()


def updated(one, round_=0):
    actions = one.act(round_, 0, 0, STATES, [PARENT])
    return one.apply_weights(round_, STATES, [PARENT], actions, np.linspace(-1, 1, LANES))


def test_the_same_call_draws_the_same_actions_again_whatever_came_between():
    one = learner()
    first = acted(one)
    acted(one, step=5)
    assert acted(one) == first == acted(learner())


def test_seed_agent_round_and_step_each_draw_anew():
    first = of_table(initial_theta(welcome(1, **FAMILY)))
    same = {0: first, 1: first}
    draws = [
        acted(learner(held=same)),
        acted(learner(held=same), round_=1),
        acted(learner(held=same), step=1),
        acted(learner(held=same, agent=2)),
        acted(learner(held=same, seed=6)),
    ]
    assert len({tuple(draw) for draw in draws}) == len(draws)


def test_actions_are_small_and_cannot_be_written_to():
    actions = learner().act(0, 0, 0, STATES, [PARENT])
    assert actions.dtype == np.uint8
    assert learner(actions=300).act(0, 0, 0, STATES, [PARENT]).dtype == np.uint16
    with pytest.raises(ValueError, match="read-only"):
        actions[0] = 0


@pytest.mark.parametrize("initial", ["zeros", "normal", "given"])
def test_theta_0_is_what_the_experiment_says(initial):
    given = np.random.default_rng(0).normal(size=(4, 2, 3))
    theta = learner(initial=initial, theta=given).snapshot(0).table
    assert theta.shape == (4, 2, 3)
    assert (initial == "zeros") == (not theta.any())
    assert (initial == "given") == np.array_equal(theta, given)


def test_an_update_is_update_3_of_the_paper():
    one = learner(learning_rate=0.25, regularization=0.4)
    theta, pi = one.snapshot(0).table, np.exp(one.table(0))
    actions = one.act(0, 0, 0, STATES, [PARENT])
    m = sampled_flow(STATES, [PARENT], actions, np.linspace(-1, 1, LANES), theta.shape)
    barrier = 0.4 / (4 * 2) * (1 / 3 - pi)
    expected = theta + 0.25 * (m - pi * m.sum(axis=-1, keepdims=True) + barrier)
    assert np.allclose(updated(one).table, expected, rtol=0, atol=1e-14)


def test_two_rounds_are_kept_and_an_update_is_applied_once():
    one = learner()
    for round_ in range(3):
        updated(one, round_)
    assert one.held == (2, 3)
    with pytest.raises(AssertionError, match="update 2 after 3 updates"):
        updated(one, 2)


def test_a_replayed_round_keeps_the_update_that_is_ahead_of_it_and_nothing_more():
    one = learner()
    updated(one, 0)
    ahead = one.snapshot(1).digest
    one.rewind(0)
    assert one.held == (0, 1)
    assert one.snapshot(1).digest == ahead
    updated(one, 1)
    one.rewind(1)
    assert one.held == (1, 2)
    behind = learner(held={4: one.snapshot(1), 6: one.snapshot(2)})
    behind.rewind(4)
    assert behind.held == (4,)


def test_a_theta_of_another_game_is_refused():
    with pytest.raises(PolicyError, match=r"theta must have shape \(4, 2, 3\), got \(4, 3\)"):
        learner(held={0: of_table(np.zeros((4, 3)))})


def test_an_update_that_overflows_says_so():
    one = learner(learning_rate=1e300)
    actions = one.act(0, 0, 0, STATES, [PARENT])
    with pytest.raises(FloatingPointError, match="choose a smaller learning rate"), np.errstate(all="ignore"):
        one.apply_weights(0, STATES, [PARENT], actions, np.full(LANES, 1e200))


FLOW = np.random.default_rng(1).normal(size=(4, 2, 3))


def told(round_=0, **fields):
    return FlowBroadcast(round_, FLOW, **fields)


def told_naturally(advantage, visits, **fields):
    """The signal of the natural gradient: agent 1's tables between those of two others."""
    beside = np.random.default_rng(4).random((4, 3))
    joined, starts = side_by_side([beside, advantage, beside])
    occupancy, _ = side_by_side([beside, visits, beside])
    return FlowBroadcast(0, **{"flow": joined, "occupancy": occupancy, "starts": starts} | fields)


def gradient_of(one, round_=0, regularization=0.01):
    pi = np.exp(one.table(round_))
    return FLOW - pi * FLOW.sum(axis=-1, keepdims=True) + regularization / 8 * (1 / 3 - pi)


def test_an_exact_update_has_the_announced_step_size_or_that_of_the_welcome():
    for announced, expected in ((0.0, 0.5), (0.125, 0.125)):
        one = learner()
        moved = one.apply_flow(told(step_size=announced)).table - one.snapshot(0).table
        assert np.allclose(moved, expected * gradient_of(one), rtol=0, atol=1e-14)


def test_an_exact_update_follows_the_natural_gradient_if_an_occupancy_comes_along():
    one = learner(regularization=0.0)
    pi = np.exp(one.table(0))
    signal = told_naturally(FLOW, np.random.default_rng(2).random((4, 2, 1)) * pi, step_size=1.0)
    moved = one.apply_flow(signal).table - one.snapshot(0).table
    assert np.allclose(moved, FLOW - FLOW.mean(axis=-1, keepdims=True), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"occupancy": np.zeros((4, 2))}, r"shape \(4, 12\) and an occupancy of shape \(4, 2\)"),
        ({"starts": (0,)}, "says where 1 agents begin"),
        ({"starts": (0, 7, 9)}, "cannot begin at column 7"),
        ({"flow": np.zeros(48), "occupancy": np.zeros(48)}, r"of one of shape \(48,\)"),
        ({"flow": np.zeros((3, 12)), "occupancy": np.zeros((3, 12))}, r"of one of shape \(3, 12\)"),
    ],
)
def test_a_natural_signal_that_does_not_fit_is_refused(fields, message):
    with pytest.raises(OrderViolation, match=message):
        learner().apply_flow(told_naturally(FLOW, FLOW, **fields))


def test_momentum_extrapolates_from_where_the_last_step_led_and_a_retreat_goes_back_there():
    one = learner()
    first = one.apply_flow(told(momentum=0.25))
    start = one.snapshot(0).table
    reached = start + 0.5 * gradient_of(one)
    assert np.allclose(first.state["theta"], reached, rtol=0, atol=1e-14)
    assert np.allclose(first.table, reached + 0.25 * (reached - start), rtol=0, atol=1e-14)
    second = one.apply_flow(told(1, momentum=0.4))
    origin = second.state["theta"]
    assert np.allclose(second.table, origin + 0.4 * (origin - first.state["theta"]), rtol=0, atol=1e-14)
    third = one.apply_flow(told(2, retreat=True, step_size=9.0))
    assert third.table.tobytes() == one.snapshot(3).table.tobytes() == origin.tobytes()
    assert not third.state


def test_an_agent_that_comes_back_goes_on_with_the_momentum_it_had():
    whole, stored = learner(), {}
    for round_ in range(4):
        back = learner(held=dict(stored))
        before = stored.get(round_, back.snapshot(round_))
        signal = told(round_, momentum=0.5) if round_ < 3 else told(round_, retreat=True)
        kept = whole.apply_flow(signal)
        assert back.apply_flow(signal).packed().tobytes() == kept.packed().tobytes()
        stored = {round_: before, round_ + 1: kept}
        assert learner(held=stored).snapshot(round_ + 1).digest == whole.snapshot(round_ + 1).digest


def test_a_direct_policy_steps_along_its_columns_and_back_onto_the_simplex():
    one = learner(policy="direct", initial="zeros", learning_rate=0.5)
    before = one.table(0)
    np.testing.assert_allclose(before, np.full((4, 2, 3), 1 / 3), rtol=1e-15)
    slopes = np.random.default_rng(0).normal(size=(4, 2, 3))
    joined, starts = side_by_side([np.zeros((4, 2)), slopes])
    after = one.apply_flow(FlowBroadcast(0, joined, starts=starts)).table
    assert np.array_equal(after, nearest_distributions(before + 0.5 * slopes))
    assert np.array_equal(one.table(1), after)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"starts": ()}, "says where 0 agents begin"),
        ({"starts": (0, 7)}, "cannot begin at column 7"),
        ({"starts": (0, 2), "occupancy": np.zeros((4, 8))}, "has an occupancy, and the policy is direct"),
    ],
)
def test_a_signal_that_is_none_for_a_direct_policy_is_refused(given, told):
    with pytest.raises(OrderViolation, match=told):
        learner(policy="direct").apply_flow(FlowBroadcast(0, np.zeros((4, 8)), **given))


def test_a_welcome_that_names_no_kind_of_policy_is_refused():
    with pytest.raises(
        PolicyError, match=r"policy must be table, direct or a network such as .*, got 'tree'"
    ):
        learner(policy="tree")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"update": "sarsa"}, "asks for the update 'sarsa', expected gradient, a2c, ppo"),
        ({"update": "ppo"}, "the update ppo is of networks, got policy table"),
        ({"policy": "mlp:8", "initial": "given", "theta": np.zeros(3)}, "expected a vector of"),
    ],
)
def test_a_welcome_whose_update_does_not_fit_its_policy_is_refused(fields, told):
    with pytest.raises((OrderViolation, PolicyError), match=told):
        learner(**fields)
