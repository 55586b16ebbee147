"""The environment: lanes that end leave a prefix, and a replay meets exactly the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.games.registry import game
from coordinator.environment import Environment
from coordinator.experiment import Experiment

GAME = game("random(agents=2, states=4, actions=3, seed=1)")


def environment(**fields):
    return Environment(GAME, Experiment(game="random", **fields))


def acted(episodes, step):
    """Return arbitrary actions that depend on nothing but the step and the lane."""
    lanes = np.arange(len(episodes.states))
    return [(lanes + step) % 3, (2 * lanes + step) % 3]


def played(environment, round_):
    """Return the states announced at every step, the weights and the statistics of one round."""
    episodes = environment.begin(round_)
    states = [episodes.states]
    while True:
        episodes.advance(acted(episodes, episodes.step))
        if episodes.done:
            return states, episodes.weights(), episodes.statistics()
        states.append(episodes.states)


@settings(max_examples=60)
@given(
    lanes=st.integers(1, 40),
    horizon=st.sampled_from([1, 2, 5, "geometric", "geometric-visit"]),
    seed=st.integers(0, 2**63 - 1),
    round_=st.integers(0, 10**9),
)
def test_lanes_that_live_are_a_prefix_and_every_lane_step_has_a_weight(lanes, horizon, seed, round_):
    states, weights, statistics = played(environment(lanes=lanes, horizon=horizon, seed=seed), round_)
    sizes = [len(one) for one in states]
    assert sizes[0] == lanes
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= 1
    assert len(weights) == sum(sizes)
    assert np.isfinite(weights).all()
    assert np.isfinite(statistics.mean)
    assert all(((one >= 0) & (one < GAME.states)).all() for one in states)
    if isinstance(horizon, int):
        assert sizes == [lanes] * horizon


@settings(max_examples=20)
@given(seed=st.integers(0, 2**63 - 1), round_=st.integers(0, 1000), lanes=st.integers(1, 9))
def test_a_replayed_round_meets_the_same_states_and_gives_the_same_signal(seed, round_, lanes):
    one, other = (environment(lanes=lanes, seed=seed) for _ in range(2))
    played(other, round_ + 1)
    first, again = played(one, round_), played(other, round_)
    assert [states.tobytes() for states in first[0]] == [states.tobytes() for states in again[0]]
    assert first[1].tobytes() == again[1].tobytes()
    assert first[2] == again[2]


@pytest.mark.parametrize("changed", [{"seed": 1}, {"lanes": 7}])
def test_another_seed_is_another_environment_and_more_lanes_are_a_new_draw(changed):
    usual = {"lanes": 6, "horizon": 4, "seed": 0}
    one, other = (played(environment(**fields), 0)[0] for fields in (usual, usual | changed))
    assert [states.tolist() for states in one] != [states.tolist() for states in other]


def test_rounds_differ():
    one, other = (played(environment(lanes=20, horizon=4), round_)[0] for round_ in (0, 1))
    assert [states.tolist() for states in one] != [states.tolist() for states in other]


def test_what_is_announced_cannot_be_written_to():
    episodes = environment(lanes=3).begin(0)
    with pytest.raises(ValueError, match="read-only"):
        episodes.states[0] = 1


def test_the_reward_is_that_of_the_joint_action():
    states = np.array([0, 3, 1])
    actions = [np.array([0, 1, 2]), np.array([2, 0, 1])]
    reward = environment().reward(states, actions)
    assert reward.tolist() == GAME.reward[(states, *actions)].tolist()
