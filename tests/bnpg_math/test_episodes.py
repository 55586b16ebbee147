"""Update (3) from episodes that end by themselves, against a slow obvious twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bnpg_math.learning.episodes import (
    episode_returns_to_go,
    episode_statistics,
    episode_weights,
    steps_into_episode,
)


def episodes_of(over):
    """Return (lane, first step, step after the last, whether it ended) of every episode."""
    steps, lanes = over.shape
    found = []
    for lane in range(lanes):
        start = 0
        for time in range(steps):
            if over[time, lane] or time == steps - 1:
                found.append((lane, start, time + 1, bool(over[time, lane])))
                start = time + 1
    return found


@given(
    some.integers(1, 9), some.integers(1, 7), some.sampled_from([0.0, 0.5, 0.9, 1.0]), some.integers(0, 99)
)
@settings(max_examples=80, deadline=None)
def test_weights_are_those_of_a_walk_from_episode_to_episode(steps, lanes, gamma, seed):
    rng = np.random.default_rng(seed)
    rewards, over = rng.normal(size=(steps, lanes)), rng.random((steps, lanes)) < 0.3
    to_go, scale = np.zeros((steps, lanes)), np.zeros((steps, lanes))
    episodes = episodes_of(over)
    for lane, start, stop, _ in episodes:
        for time in range(start, stop):
            to_go[time, lane] = sum(gamma ** (k - time) * rewards[k, lane] for k in range(time, stop))
            scale[time, lane] = gamma ** (time - start)
    assert np.allclose(episode_returns_to_go(rewards, over, gamma), to_go)
    strata = steps_into_episode(over)
    plain = episode_weights(rewards, over, gamma, "none", strata, steps)
    assert np.allclose(plain.reshape(steps, lanes), scale * to_go / len(episodes))
    fitted = episode_weights(rewards, over, gamma, "cross-fit", strata, steps).reshape(steps, lanes)
    for lane in range(lanes):
        for time in range(steps):
            other = to_go[:, (lane + 1) % 2 :: 2]
            same = other[strata[:, (lane + 1) % 2 :: 2] == strata[time, lane]]
            baseline = same.mean() if same.size else other.mean() if other.size else 0.0
            expected = scale[time, lane] * (to_go[time, lane] - baseline) / len(episodes)
            assert fitted[time, lane] == pytest.approx(expected, abs=1e-9)
    returns = [rewards[start:stop, lane].sum() for lane, start, stop, ended in episodes if ended]
    statistics = episode_statistics(rewards, over)
    if not returns:
        assert statistics is None
    else:
        assert statistics.mean == pytest.approx(np.mean(returns))
        if len(returns) > 1:
            assert statistics.stderr == pytest.approx(np.std(returns, ddof=1) / len(returns) ** 0.5)


def test_a_baseline_knows_nothing_of_its_own_half():
    rng = np.random.default_rng(0)
    over = np.zeros((3, 4), dtype=bool)
    strata = steps_into_episode(over)
    rewards = rng.normal(size=(3, 4))
    changed = rewards.copy()
    changed[:, 2] += 5.0
    before, after = (
        episode_weights(one, over, 1.0, "cross-fit", strata, 3).reshape(3, 4) for one in (rewards, changed)
    )
    assert np.array_equal(before[:, 0], after[:, 0])
    assert not np.array_equal(before[:, 1], after[:, 1])
