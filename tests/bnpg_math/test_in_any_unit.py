"""What is measured of rewards in another unit is the same number in that unit, however tiny or huge it is."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bnpg_math.arrays.by_two import length, standard_error
from bnpg_math.dag import complete
from bnpg_math.games.builtin.random_game import random_game
from bnpg_math.learning.critic import explained_variance
from bnpg_math.theory.constants import sizes
from bnpg_math.theory.curvature import curvature_rounding
from bnpg_math.theory.direct import direct_rounds
from bnpg_math.theory.sampled_certificate import Moments
from bnpg_math.theory.stationarity import gradient_norm
from bnpg_math.theory.weighted_barrier import weighted_rounds

PLACES = [-1000, -600, -540, -300, -200, 200, 300, 540, 900]


@pytest.mark.parametrize("places", PLACES)
def test_a_norm_and_a_standard_error_have_the_same_bits(places: int) -> None:
    rng = np.random.default_rng(7)
    parts = [rng.normal(size=shape) for shape in [(2, 3), (4,), (1, 2, 2)]]
    scaled = [np.ldexp(part, places) for part in parts]
    assert length(scaled) == gradient_norm(scaled) == math.ldexp(length(parts), places)
    assert standard_error(scaled[1]) == math.ldexp(standard_error(parts[1]), places)
    assert curvature_rounding(scaled, math.ldexp(1e-15, places), 1e-5) == pytest.approx(
        math.ldexp(curvature_rounding(parts, 1e-15, 1e-5), places), rel=1e-12
    )


def test_of_ordinary_numbers_they_are_the_plain_formulas() -> None:
    values = np.random.default_rng(8).normal(size=100)
    assert standard_error(values) == float(values.std(ddof=1) / math.sqrt(100))
    assert length([values]) == math.sqrt(float(np.vdot(values, values)))
    assert length([]) == length([np.zeros(0)]) == length([np.zeros(3)]) == 0.0


@pytest.mark.parametrize("places", [-1000, -560, -300, 0, 300])
def test_the_width_of_a_mean_of_samples_holds(places: int) -> None:
    rng = np.random.default_rng(1)
    plain, scaled = Moments(1, 1.0), Moments(1, math.ldexp(1.0, places))
    for _ in range(4):
        samples = rng.choice([-1.0, 1.0], size=(1 << 14, 1))
        plain.add(samples, 1 << 14)
        scaled.add(np.ldexp(samples, places), 1 << 14)
    assert scaled.width(1e-3) == np.ldexp(plain.width(1e-3), places)
    assert scaled.mean == np.ldexp(plain.mean, places)


@pytest.mark.parametrize("places", [-540, -500, -300, 300, 440])
def test_rounds_that_are_promised_do_not_depend_on_the_unit(places: int) -> None:
    game = random_game(states=2, agents=2, actions=2, branching=2)
    other = replace(game, reward=np.ldexp(game.reward, places))
    unit = 2.0**places
    rounds = weighted_rounds(game, complete(2), 1e-3, 1.0)
    assert weighted_rounds(other, complete(2), 1e-3 * unit, unit) == pytest.approx(rounds, rel=1e-9)
    rounds = direct_rounds(sizes(game, complete(2)), 1e-3, 2.0, 1.0)
    assert direct_rounds(sizes(other, complete(2)), 1e-3 * unit, 2.0, unit) == pytest.approx(rounds, rel=1e-9)


def test_rounds_beyond_all_floats_are_infinite() -> None:
    game = random_game(states=2, agents=2, actions=2, branching=2)
    assert weighted_rounds(game, complete(2), 5e-324, 1.0) == math.inf


def test_a_critic_that_meets_one_return_explains_nothing() -> None:
    returns = np.full(50, 0.1) + np.random.default_rng(2).choice([0.0, 2.0**-56], size=50)
    assert np.ptp(returns) > 0.0
    assert explained_variance(returns, returns) is None
    for size in (0, 3):
        assert explained_variance(np.zeros(size), np.zeros(size)) is None


@pytest.mark.parametrize("places", [-1000, -536, 512, 900])
def test_what_a_critic_explains_is_the_same_in_any_unit(places: int) -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(size=100)
    values = returns + 0.1 * rng.normal(size=100)
    share = explained_variance(values, returns)
    assert share is not None
    assert 0.9 < share < 1.0
    assert explained_variance(np.ldexp(values, places), np.ldexp(returns, places)) == share
