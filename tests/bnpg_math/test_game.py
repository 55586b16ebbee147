import numpy as np
import pytest

from bnpg_math.errors import GameError
from bnpg_math.games.game import dense_game

P = np.full((2, 3, 2), 0.5)
R = np.arange(6.0).reshape(2, 3)
MU = np.array([0.25, 0.75])


def test_sizes_and_reward_range():
    game = dense_game("g", P, R, MU, 0.9)
    assert (game.states, game.agents, game.actions, game.joint_actions) == (2, 1, (3,), 3)
    assert game.reward_range == 5.0


def test_a_game_cannot_be_changed_from_outside():
    reward = R.copy()
    game = dense_game("g", P, reward, MU, 0.9)
    reward[0, 0] = 99.0
    assert game.reward[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        game.reward[0, 0] = 1.0


def test_the_digest_is_that_of_the_content():
    digest = dense_game("g", P, R, MU, 0.9).digest
    assert len(digest) == 64
    assert dense_game("another name", P.copy(), R.astype(int), MU, 0.9).digest == digest
    changed = P.copy()
    changed[0, 0] = [0.25, 0.75]
    others = [
        dense_game("g", changed, R, MU, 0.9),
        dense_game("g", P, R + 1, MU, 0.9),
        dense_game("g", P, R, MU[::-1], 0.9),
        dense_game("g", P, R, MU, 0.8),
    ]
    assert len({digest, *(other.digest for other in others)}) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((P, R.T, MU, 0.9), r"reward must have shape \(2, 3\), got \(3, 2\)"),
        ((P, np.where(R == 4, np.inf, R), MU, 0.9), r"reward\[1, 1\] must be finite, got inf"),
        ((P, R, np.ones(3) / 3, 0.9), r"initial must have shape \(2,\), got \(3,\)"),
        ((P, R, np.array([0.5, 0.4]), 0.9), "initial must sum to 1, got 0.9"),
        ((P, R, np.array([1.5, -0.5]), 0.9), r"initial\[1\] must not be negative"),
        ((P, R, MU, 1.0), r"gamma must be in \[0, 1\), got 1"),
        ((P, R, MU, -0.1), "gamma must be in"),
        ((P, R, MU, float("nan")), "gamma must be in"),
    ],
)
def test_what_is_no_game_is_refused(arguments, message):
    with pytest.raises(GameError, match=message):
        dense_game("g", *arguments)
