"""What an agent climbs with advantages: its gradient, masks, clip, and passes that can be repeated."""

import math

import numpy as np
import pytest

from bnpg_math.learning.actor import (
    ActorRows,
    ActorSettings,
    actor_gradient,
    actor_objective,
    actor_pass,
    played_rows,
    pull_of_rows,
)
from bnpg_math.learning.adam import Adam
from bnpg_math.learning.optimiser import PlainAscent
from bnpg_math.policies.network import NetworkPolicy
from tests.bnpg_math.network_cases import NUMBERS, STATES, agree, case


def _rows(encoding=NUMBERS, lanes=60, masked=False, away=0.3, seed=0):
    """A policy, and rows that another one, some way off, has played."""
    policy, seen, parents, actions, advantages, legal = case(encoding, lanes, seed=seed, masked=masked)
    rng = np.random.default_rng(seed + 1)
    other = {name: array + away * rng.normal(size=array.shape) for name, array in policy.theta.items()}
    return policy, played_rows(policy.at(other), seen, parents, actions, advantages, legal)


def _height(policy, rows, settings):
    def height(theta):
        log_pi = policy.at(theta).log_pi(rows.seen, rows.parents, rows.legal)
        return actor_objective(log_pi, rows, settings)

    return height


@pytest.mark.parametrize("encoding", [NUMBERS, STATES])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        ActorSettings("a2c"),
        ActorSettings("ppo"),
        ActorSettings("ppo", entropy=0.3),
        ActorSettings("ppo", barrier=0.4),
        ActorSettings("a2c", entropy=0.2, barrier=0.1),
    ],
)
def test_the_gradient_is_that_of_the_objective(encoding, masked, settings):
    policy, rows = _rows(encoding, masked=masked)
    gradient, signs = actor_gradient(policy, rows, settings)
    agree(gradient, _height(policy, rows, settings), policy.theta)
    assert signs.kl > 0.0
    assert 0 < signs.clipped < len(rows)


def test_more_rows_than_a_chunk_have_the_gradient_of_the_whole_mean():
    settings = ActorSettings("ppo", entropy=0.1, barrier=0.1)
    policy, rows = _rows(lanes=1500, masked=True)
    gradient, _ = actor_gradient(policy, rows, settings)
    agree(gradient, _height(policy, rows, settings), policy.theta)


def test_the_first_ppo_step_on_what_was_played_is_that_of_a2c():
    policy, seen, parents, actions, advantages, legal = case(NUMBERS, masked=True)
    rows = played_rows(policy, seen, parents, actions, advantages, legal)
    ppo, signs = actor_gradient(policy, rows, ActorSettings("ppo"))
    a2c, _ = actor_gradient(policy, rows, ActorSettings("a2c"))
    assert signs.kl == signs.clipped == 0.0
    for name, array in ppo.items():
        np.testing.assert_array_equal(array, a2c[name])


@pytest.mark.parametrize(
    ("advantage", "ratio", "moves"),
    [(1.0, 1.5, False), (1.0, 0.5, True), (-1.0, 1.5, True), (-1.0, 0.5, False), (1.0, 1.1, True)],
)
def test_the_clip_holds_a_choice_only_where_it_has_gone_far_enough_its_own_way(advantage, ratio, moves):
    log_pi = np.log([[0.25, 0.75]])
    rows = ActorRows(
        np.zeros(1, int), (), np.array([1]), np.array([advantage]), log_pi[:, 1] - math.log(ratio)
    )
    pull, _ = pull_of_rows(log_pi, rows, ActorSettings("ppo"))
    expected = advantage * ratio * np.array([[-0.25, 0.25]]) if moves else np.zeros((1, 2))
    np.testing.assert_allclose(pull, expected, atol=1e-15)


@pytest.mark.parametrize("surrogate", ["a2c", "ppo"])
def test_what_may_not_be_taken_is_never_pulled_at(surrogate):
    policy, rows = _rows(masked=True)
    log_pi = policy.log_pi(rows.seen, rows.parents, rows.legal)
    pull, _ = pull_of_rows(log_pi, rows, ActorSettings(surrogate, entropy=0.5, barrier=0.5))
    assert not pull[rows.legal == 0].any()
    np.testing.assert_allclose(pull.sum(axis=1), 0.0, atol=1e-13)


def test_an_agent_that_takes_no_part_leaves_no_trace():
    policy, seen, parents, actions, advantages, legal = case(NUMBERS, masked=True)
    alive = np.random.default_rng(3).random(37) < 0.5
    settings = ActorSettings("ppo", entropy=0.1, barrier=0.1)
    mixed = advantages.copy()
    mixed[~alive] = 1e9
    got, _ = actor_gradient(
        policy, played_rows(policy, seen, parents, actions, mixed, legal, alive), settings
    )
    living = [one[alive] for one in parents]
    alone = played_rows(policy, seen[alive], living, actions[alive], advantages[alive], legal[alive])
    expected, _ = actor_gradient(policy, alone, settings)
    for name, array in got.items():
        np.testing.assert_array_equal(array, expected[name])


def test_a_round_in_which_an_agent_takes_no_part_moves_nothing():
    policy, seen, parents, actions, advantages, _ = case(NUMBERS)
    rows = played_rows(policy, seen, parents, actions, advantages, alive=np.zeros(37, dtype=bool))
    theta, state, signs = actor_pass(policy, {}, rows, ActorSettings(), Adam(), 0.1, (0, 0, 0), 0)
    assert theta is policy.theta
    assert state == {}
    assert tuple(signs) == (0.0, 0.0, 0.0)


def test_the_surrogate_of_all_choices_climbs_the_expected_advantage():
    # Every action once in each context, weighted by its probability: A2C's mean is dE[A]/dtheta exactly.
    policy, *_ = case(STATES)
    states, heard, actions = (axis.reshape(-1) for axis in np.indices((5, 2, 4)))
    table = np.random.default_rng(4).normal(size=(5, 2, 4))
    chances = np.exp(policy.log_table)
    rows = ActorRows(states, (heard,), actions, (chances * table).reshape(-1), policy.log_table.reshape(-1))
    gradient, _ = actor_gradient(policy, rows, ActorSettings("a2c"))

    def expected(theta):
        return float((np.exp(policy.at(theta).log_table) * table).sum()) / 40

    agree(gradient, expected, policy.theta)


def _train(policy, rows, settings, passes, optimiser, eta):
    state, signs = {}, []
    for number in range(passes):
        theta, state, sign = actor_pass(policy, state, rows, settings, optimiser, eta, (9, 1, 4), number)
        policy = policy.at(theta)
        signs.append(sign)
    return policy, state, signs


def test_passes_are_the_same_bits_again_and_of_another_order_others():
    settings = ActorSettings("ppo", parts=3, longest=0.5)
    policy, seen, parents, actions, advantages, _ = case(NUMBERS)
    rows = played_rows(policy, seen, parents, actions, advantages)
    first, state, signs = _train(policy, rows, settings, 4, Adam(), 1e-2)
    again, state_again, _ = _train(policy, rows, settings, 4, Adam(), 1e-2)
    for one, other in ((first.theta, again.theta), (state, state_again)):
        assert all(np.array_equal(array, other[name]) for name, array in one.items())
    assert state["steps"].tolist() == [12.0]
    assert signs[0].kl < signs[-1].kl
    whole, _, _ = _train(policy, rows, ActorSettings("ppo", longest=0.5), 12, Adam(), 1e-2)
    assert not np.array_equal(whole.theta["0.weight"], first.theta["0.weight"])


@pytest.mark.parametrize("optimiser", [Adam(), PlainAscent()])
def test_passes_climb_and_the_clip_keeps_the_policy_near(optimiser):
    policy, seen, parents, actions, advantages, _ = case(NUMBERS, 256)
    rows = played_rows(policy, seen, parents, actions, advantages)
    reached = {}
    for clip in (0.1, 100.0):
        settings = ActorSettings("ppo", clip=clip)
        after, _, signs = _train(policy, rows, settings, 30, optimiser, 0.02)
        log_pi = after.log_pi(rows.seen, rows.parents)
        before = actor_objective(policy.log_pi(rows.seen, rows.parents), rows, settings)
        assert actor_objective(log_pi, rows, settings) > before
        reached[clip] = signs[-1].kl
    assert reached[0.1] < reached[100.0] or isinstance(optimiser, PlainAscent)


def test_the_barrier_keeps_a_choice_alive_that_always_pays():
    policy, seen, parents, *_ = case(NUMBERS, 64)
    actions = np.zeros(64, dtype=int)
    least = {}
    for barrier in (0.0, 0.5):
        rows = played_rows(policy, seen, parents, actions, np.ones(64))
        settings = ActorSettings("a2c", barrier=barrier)
        after, _, _ = _train(policy, rows, settings, 200, Adam(), 0.02)
        least[barrier] = float(after.log_pi(seen, parents).min())
    assert least[0.0] < least[0.5] - 1.0
    assert isinstance(policy, NetworkPolicy)
