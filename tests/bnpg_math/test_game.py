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
    ("name", "got"),
    [(None, "None"), (b"g", "b'g'"), (10**5000, "an integer of 16610 bits")],
    ids=["nothing", "bytes", "long"],
)
def test_a_name_is_a_text(name, got):
    with pytest.raises(GameError, match=f"^name must be a text, got {got}$"):
        dense_game(name, P, R, MU, 0.9)


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
        ((P, R, MU, 1.0 - 2.0**-52), r"gamma must be at most 1 - 2\^-51, got 0.9999999999999998: "),
        ((P, R, MU, float("nan")), "gamma must be in"),
    ],
)
def test_what_is_no_game_is_refused(arguments, message):
    with pytest.raises(GameError, match=message):
        dense_game("g", *arguments)


def test_rewards_of_the_next_state_are_averaged_and_it_says_so():
    rng = np.random.default_rng(0)
    transition = rng.dirichlet(np.ones(3), size=(3, 2, 2))
    reward = rng.normal(size=(3, 2, 2, 3))
    game = dense_game("g", transition, reward, np.full(3, 1 / 3), 0.9)
    np.testing.assert_allclose(game.reward, (transition * reward).sum(axis=-1), rtol=1e-12)
    assert game.notices == ("reward is one of r(s, a, s') and was averaged over the next state",)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((3, 2, 2, 2), r"one reward an agent\? A team shares one: add or average them .* \(the last\)"),
        ((2, 3, 2, 2), r"one reward an agent\? A team shares one: add or average them .* \(the first\)"),
        ((3,), r"r\(s\)\? Repeat it for every joint action"),
    ],
)
def test_rewards_of_other_programs_are_refused_with_the_way_to_convert_them(shape, hint):
    with pytest.raises(GameError, match=hint):
        dense_game("g", np.full((3, 2, 2, 3), 1 / 3), np.zeros(shape), np.full(3, 1 / 3), 0.9)


def test_where_agents_are_as_many_as_states_rewards_may_mean_either_and_are_refused():
    with pytest.raises(GameError, match="one reward an agent"):
        dense_game("g", np.full((2, 2, 2, 2), 0.5), np.zeros((2, 2, 2, 2)), MU, 0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((P.astype(bool), R, MU, 0.9), "transition must hold float64 numbers, got dtype bool"),
        ((P, R.astype(str), MU, 0.9), "reward must hold float64 numbers, got dtype <U"),
        ((P, R, [[0.5], 0.5], 0.9), "initial must be an array of numbers"),
        ((P, R, MU, None), "gamma must hold float64 numbers, got dtype object"),
        ((P, R, MU, "0.9"), "gamma must hold float64 numbers, got dtype <U3"),
        ((P, R, MU, [0.9]), r"gamma must be a scalar, got shape \(1,\)"),
    ],
)
def test_arguments_are_held_to_what_a_file_is(arguments, message):
    with pytest.raises(GameError, match=message):
        dense_game("g", *arguments)


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1 - 2.0**-20])
def test_rewards_whose_returns_would_overflow_are_refused_with_the_range_that_fits(gamma):
    largest = 1e150 * (1 - gamma) ** 2
    assert dense_game("g", P, R / 5 * largest, MU, gamma).reward.max() == pytest.approx(largest)
    with pytest.raises(GameError) as error:
        dense_game("g", P, -R / 5 * 1.01 * largest, MU, gamma)
    assert f"reward[1, 2] must be in -{largest:.3g}..{largest:.3g} with gamma = {gamma:g}" in str(error.value)
