"""The comparison with a peer is fair: it plays our world, and both are measured by the same numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.worlds.bundled.spread import Spread

from benchmarks.peer import OURS, PEER, main, table
from benchmarks.peers import ours
from benchmarks.peers.many_spreads import ManySpreads


def test_the_peer_meets_our_world_and_its_returns() -> None:
    envs = ManySpreads(3, 7)
    seen = envs.reset()
    world = Spread()
    state = world.begin(np.random.default_rng(7).random((world.draws[0], 3)))
    rng = np.random.default_rng(0)
    earned = np.zeros(3)
    for time in range(25):
        np.testing.assert_array_equal(seen, np.stack(world.see(state), axis=1))
        actions = rng.integers(5, size=(3, 3))
        state, rewards = world.step(state, list(actions.T.astype(np.uint8)), np.empty(0))
        earned += rewards
        seen, told, done, _ = envs.step([list(np.eye(5)[one]) for one in actions])
        assert told.shape == (3, 3, 1)
        np.testing.assert_array_equal(told[:, 1, 0], rewards)
        assert done.all() == (time == 24)
    assert envs.returns == [earned.mean()]
    assert not np.array_equal(seen, np.stack(world.see(state), axis=1))  # a new episode has begun


def test_ours_is_measured_by_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ours.SETTINGS, "epochs", 1)
    found = ours.train(2 * ours.LANES * ours.LENGTH, 0)
    assert set(found) == {"return", "seconds", "cpu_seconds"}
    assert -60 < found["return"] < -10
    json.dumps(found)


def test_the_table_has_intervals_over_the_seeds() -> None:
    sides = {
        name: [{"return": at + seed, "seconds": 1.0, "cpu_seconds": 1.0} for seed in range(3)]
        for name, at in ((OURS, -24.0), (PEER, -25.0))
    }
    told = table(sides, 200_000)
    assert "spread, 200,000 steps, 3 seeds" in told
    assert f"| {OURS} | -23 [-25.48, -20.52] | 1 [1, 1] |" in told


def test_a_folder_that_is_no_clone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert "is no clone of on-policy" in capsys.readouterr().err
