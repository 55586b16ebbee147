from itertools import product

import numpy as np
import pytest

from bnpg_math.exact.mismatch import is_avoidable, mismatch
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game


@pytest.mark.parametrize("seed", range(8))
def test_m_is_the_worst_ratio_over_all_deterministic_policies(problem, seed):
    game = problem(seed, states=2).game
    visitations = []
    for choice in product(range(game.joint_actions), repeat=2):
        pi = np.eye(game.joint_actions)[list(choice)].reshape(2, *game.actions)
        visitations.append(evaluate(game, pi).d)
    expected = np.max(visitations, axis=0) / np.min(visitations, axis=0)
    found = mismatch(game)
    np.testing.assert_allclose(found.M, expected.max(), rtol=1e-10)
    assert found.state == int(expected.argmax())
    np.testing.assert_allclose(found.highest, np.max(visitations, axis=0), rtol=1e-11)
    np.testing.assert_allclose(found.lowest, np.min(visitations, axis=0), rtol=1e-11)
    assert found.reason is None


def corridor(initial, gamma=0.9):
    """Action 0 stays, action 1 goes to the next of three states; the last keeps."""
    transition = np.zeros((3, 2, 3))
    transition[[0, 1, 2], 0, [0, 1, 2]] = 1.0
    transition[[0, 1, 2], 1, [1, 2, 2]] = 1.0
    return dense_game("corridor", transition, np.zeros((3, 2)), np.array(initial), gamma)


def test_a_state_that_can_be_avoided_makes_m_infinite_and_is_named():
    found = mismatch(corridor([0.5, 0.5, 0.0]))
    assert np.isinf(found.M)
    assert found.state == 2
    assert found.reason == "Assumption 1 fails: some joint policy never visits state 2"
    np.testing.assert_allclose(found.lowest, [0.5, 0.5, 0.0])


def test_avoidability_is_decided_on_possibility_not_on_size():
    assert is_avoidable(corridor([1.0, 0.0, 0.0]), 1)
    certain = np.zeros((2, 1, 2))
    certain[0, 0], certain[1, 0] = [1 - 1e-15, 1e-15], [1.0, 0.0]
    game = dense_game("rare", certain, np.zeros((2, 1)), np.array([1.0, 0.0]), 0.9)
    assert not is_avoidable(game, 1)
    # Its only policy visits it, however rarely: the ratio is 1.
    np.testing.assert_allclose(mismatch(game).M, 1.0)


def test_without_a_future_only_the_start_is_visited():
    np.testing.assert_allclose(mismatch(corridor([0.2, 0.3, 0.5], gamma=0.0)).M, 1.0)
    assert np.isinf(mismatch(corridor([0.5, 0.5, 0.0], gamma=0.0)).M)


def test_progress_is_told_state_by_state():
    seen = []
    mismatch(corridor([0.2, 0.3, 0.5]), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_m_is_rounded_up_and_the_nearest_number_is_kept_for_choosing_lambda(problem):
    found = mismatch(problem(3, states=3).game)
    assert found.nearest <= found.M <= found.nearest * (1 + 1e-10)
    assert found.nearest == (found.highest / found.lowest).max()


def test_with_one_state_or_no_future_m_is_exactly_1():
    assert mismatch(corridor([0.2, 0.3, 0.5], gamma=0.0)).M == 1.0
    one = dense_game("one", np.ones((1, 2, 1)), np.zeros((1, 2)), np.ones(1), 0.9)
    assert mismatch(one).M == mismatch(one).nearest == 1.0
