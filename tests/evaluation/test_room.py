"""What can be gained from uniform policies is not less than in rationals, whatever is added to rewards."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from bnpg.advice.action_values import uniform_values
from bnpg.advice.assessment import Assessor
from bnpg.evaluation.measure import measure
from bnpg.evaluation.room import room_at_most
from bnpg_math.dag import complete, empty
from bnpg_math.exact.gauge import Gauge
from bnpg_math.games.game import Game, dense_game
from bnpg_math.policies.joint import Policy

ACTIONS = list(product(range(2), range(2)))


def shifted_game(seed: int, shift: float) -> Game:
    """Two states, rewards that differ by 1e-6, and probabilities that are sixteenths."""
    rng = np.random.default_rng(seed)
    stay = rng.integers(1, 16, size=(2, 2, 2)) / 16.0
    P = np.stack([stay, 1.0 - stay], axis=-1)
    return dense_game("shifted", P, shift + 1e-6 * rng.random((2, 2, 2)), np.ones(2) / 2, 0.9)


def exact_value(game: Game, weights: list[dict[tuple[int, int], Fraction]]) -> Fraction:
    """V(mu) of a joint policy of two states, by Cramer's rule."""
    P, gamma = game.transition.to_dense(), Fraction(game.gamma)
    r = [sum(w * Fraction(float(game.reward[s, *a])) for a, w in weights[s].items()) for s in range(2)]
    p = [
        [sum(w * Fraction(float(P[s, *a, t])) for a, w in weights[s].items()) for t in range(2)]
        for s in range(2)
    ]
    a, b, c, d = 1 - gamma * p[0][0], -gamma * p[0][1], -gamma * p[1][0], 1 - gamma * p[1][1]
    return ((r[0] * d - b * r[1]) + (a * r[1] - c * r[0])) / (a * d - b * c) / 2


def exact_room(game: Game) -> Fraction:
    choices = [exact_value(game, [{one: Fraction(1)} for one in both]) for both in product(ACTIONS, ACTIONS)]
    return max(choices) - exact_value(game, [dict.fromkeys(ACTIONS, Fraction(1, 4))] * 2)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shift", [0.0, 1e9])
def test_the_room_is_not_less_than_in_rationals_and_hardly_more(seed: int, shift: float) -> None:
    game = shifted_game(seed, shift)
    exact = exact_room(game)
    uniform = Policy.from_tables(empty(2), [np.full((2, 2), 0.5)] * 2)
    constants = measure(game, uniform, 1e-8, mismatch=True).rate_constants
    assert constants is not None
    for room in (room_at_most(Gauge(game)), constants.room):
        assert exact <= Fraction(room) <= exact * (1 + Fraction(1, 10**6))


@pytest.mark.parametrize("seed", range(8))
def test_rounds_of_the_theorems_are_those_of_the_game_without_a_constant(seed: int) -> None:
    """Taking 1e9 off the rewards is exact."""
    shifted = shifted_game(seed, 1e9)
    plain = replace(shifted, reward=shifted.reward - 1e9)
    uniform = Policy.from_tables(complete(2), [np.full((2, 2), 0.5), np.full((2, 2, 2), 0.5)])
    found = [
        (
            Assessor(game, uniform_values(game), 1e-7).assess(complete(2)).rounds_weighted,
            measure(game, uniform, 1e-8, mismatch=True).rate_constants,
        )
        for game in (shifted, plain)
    ]
    (rounds, constants), (expected, right) = found
    assert rounds == pytest.approx(expected, rel=1e-6)
    assert constants is not None
    assert right is not None
    assert constants.optimal == pytest.approx(right.optimal, rel=1e-6)
