"""A sampled round: lanes that end leave a prefix, and a replay meets exactly the same."""

import numpy as np
import pytest
from bnpg_coordinator.estimator import SampledRound
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.lanes import parts_of
from bnpg_coordinator.worlds.interface import Seen
from bnpg_coordinator.worlds.table import TableWorld
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.games.registry import game

GAME = game("random(agents=2, states=4, actions=3, seed=1)")


def rounds(**fields):
    """Return what begins a round of an experiment."""
    world, experiment = TableWorld(GAME), Experiment(game="random", **fields)
    return lambda round_: SampledRound(world, experiment, round_)


def acted(turn):
    """Return arbitrary actions that depend on nothing but the time and the lane."""
    lanes = turn.lane + np.arange(len(turn.seen))
    return [(lanes + turn.time) % 3, (2 * lanes + turn.time) % 3]


def played(begin, round_):
    """Return the states announced at every turn, the weights and the statistics of one round."""
    sampled = begin(round_)
    episodes = sampled.episodes
    for turn in episodes.turns:  # which grow as they are taken
        episodes.advance(acted(turn))
    assert episodes.done
    return [turn.seen.of for turn in episodes.turns], *sampled.signal()


@settings(max_examples=60)
@given(
    lanes=st.integers(1, 40),
    horizon=st.sampled_from([1, 2, 5, "geometric", "geometric-visit"]),
    seed=st.integers(0, 2**63 - 1),
    round_=st.integers(0, 10**9),
)
def test_lanes_that_live_are_a_prefix_and_every_lane_step_has_a_weight(lanes, horizon, seed, round_):
    states, weights, statistics = played(rounds(lanes=lanes, horizon=horizon, seed=seed), round_)
    sizes = [len(one) for one in states]
    assert sizes[0] == lanes
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= 1
    assert len(weights) == sum(sizes)
    assert np.isfinite(weights).all()
    assert np.isfinite(statistics["return_mean"])
    assert all(((one >= 0) & (one < GAME.states)).all() for one in states)
    if isinstance(horizon, int):
        assert sizes == [lanes] * horizon


@settings(max_examples=20)
@given(seed=st.integers(0, 2**63 - 1), round_=st.integers(0, 1000), lanes=st.integers(1, 9))
def test_a_replayed_round_meets_the_same_states_and_gives_the_same_signal(seed, round_, lanes):
    one, other = (rounds(lanes=lanes, seed=seed) for _ in range(2))
    played(other, round_ + 1)
    first, again = played(one, round_), played(other, round_)
    assert [states.tobytes() for states in first[0]] == [states.tobytes() for states in again[0]]
    assert first[1].tobytes() == again[1].tobytes()
    assert first[2] == again[2]


@pytest.mark.parametrize("changed", [{"seed": 1}, {"lanes": 7}])
def test_another_seed_is_another_environment_and_more_lanes_are_a_new_draw(changed):
    usual = {"lanes": 6, "horizon": 4, "seed": 0}
    one, other = (played(rounds(**fields), 0)[0] for fields in (usual, usual | changed))
    assert [states.tolist() for states in one] != [states.tolist() for states in other]


def test_rounds_differ():
    one, other = (played(rounds(lanes=20, horizon=4), round_)[0] for round_ in (0, 1))
    assert [states.tolist() for states in one] != [states.tolist() for states in other]


@settings(max_examples=100)
@given(
    lanes=st.integers(1, 60),
    parts=st.integers(2, 7),
    horizon=st.sampled_from([1, 3, "geometric", "geometric-visit"]),
    seed=st.integers(0, 2**63 - 1),
)
def test_lanes_stepped_in_parts_meet_the_same_as_all_at_once(lanes, parts, horizon, seed):
    whole, parted = (
        played(rounds(parts=number, lanes=lanes, horizon=horizon, seed=seed), 3) for number in (1, parts)
    )
    assert b"".join(states.tobytes() for states in parted[0]) == b"".join(
        states.tobytes() for states in whole[0]
    )
    assert parted[1].tobytes() == whole[1].tobytes()
    assert parted[2] == whole[2]


@given(lanes=st.integers(1, 60), parts=st.integers(1, 7), seed=st.integers(0, 99))
def test_turns_are_numbered_by_time_and_then_by_lane(lanes, parts, seed):
    episodes = rounds(parts=parts, lanes=lanes, seed=seed)(0).episodes
    assert len(episodes.turns) == parts_of(Experiment(game="random", lanes=lanes, parts=parts)) <= parts
    for turn in episodes.turns:
        episodes.advance(acted(turn))
    places = [(turn.time, turn.lane) for turn in episodes.turns]
    assert places == sorted(set(places))
    assert all(turn.lane % 4 == 0 and len(turn.seen) for turn in episodes.turns)


def test_what_is_announced_cannot_be_written_to():
    episodes = rounds(lanes=3)(0).episodes
    with pytest.raises(ValueError, match="read-only"):
        episodes.turns[0].seen.of[0] = 1


def test_the_reward_is_that_of_the_joint_action():
    states = np.array([0, 3, 1])
    actions = [np.array([0, 1, 2]), np.array([2, 0, 1])]
    play = TableWorld(GAME).begin(seed=0, round_=0, lanes=3)
    play.step(0, 0, Seen(states), actions, alive=0)
    [reward], [strata] = play.rewards(), play.strata()
    assert reward.tolist() == GAME.reward[(states, *actions)].tolist()
    assert strata.tolist() == states.tolist()
