"""Step sizes: accepted only if they raise the objective enough, and exact on quadratics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.learning.momentum import extrapolate, momentum_after
from bnpg_math.learning.step_size import (
    LARGEST,
    LONGEST,
    SUFFICIENT,
    backtrack,
    barzilai_borwein,
    inner,
    longest_step,
)

curvatures = st.floats(0.01, 100.0)


@given(curvatures, st.floats(1e-3, 1e4), st.floats(0.1, 10.0))
def test_the_accepted_step_is_the_first_of_the_halvings_that_raises_enough(
    bend: float, first: float, slope: float
) -> None:
    tried: list[float] = []

    def ahead(eta: float) -> float:
        tried.append(eta)
        return 1.0 + eta * slope - 0.5 * bend * eta**2

    eta, reached = backtrack(ahead, 1.0, slope, first, 0.0)
    assert tried == [first / 2**n for n in range(len(tried))]
    assert eta == tried[-1]
    rounding = 1e-9 * max(1.0, first * slope, bend * first**2)
    enough = [ahead(one) - 1.0 - SUFFICIENT * one * slope for one in tried[:]]
    assert reached == ahead(eta)
    assert enough[-1] >= -rounding
    assert all(missed < rounding for missed in enough[:-1])


def test_a_certified_step_is_accepted_whatever_it_seems_to_do() -> None:
    assert backtrack(lambda _: -1.0, 0.0, 1.0, 1.0, 0.3) == (0.3, -1.0)
    assert backtrack(lambda _: -1.0, 0.0, 1.0, 0.2, 0.3) == (0.2, -1.0)


def test_a_search_that_never_succeeds_ends() -> None:
    eta, _ = backtrack(lambda _: -1.0, 0.0, 1.0, 1.0, 0.0)
    assert 0.0 < eta < 1e-17


def test_an_objective_that_only_rounds_is_accepted() -> None:
    assert backtrack(lambda _: 1.0 - 1e-16, 1.0, 1e-20, 4.0, 0.0)[0] == 4.0


@given(st.integers(0, 2**32), st.floats(1e-3, 1e3))
def test_the_suggested_step_is_the_inverse_curvature_along_the_step(seed: int, eta: float) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(6, 6))
    hessian = -(root @ root.T) - np.eye(6)
    before, scaling = rng.normal(size=6), rng.random(6) + 0.1
    for direction in (before, scaling * before):
        after = before + eta * hessian @ direction
        found = barzilai_borwein(eta, [direction], [before], [after])
        expected = direction @ before / -(direction @ hessian @ direction)
        assert found == pytest.approx(expected, rel=1e-6)


def test_a_step_along_which_nothing_curves_down_suggests_a_longer_one() -> None:
    one = [np.ones(3)]
    assert barzilai_borwein(0.5, one, one, one) == 2.0
    assert barzilai_borwein(0.5, one, one, [2 * np.ones(3)]) == 2.0
    assert barzilai_borwein(0.5, [np.zeros(3)], [np.zeros(3)], [np.zeros(3)]) == 2.0


def test_no_logit_moves_too_far() -> None:
    direction = [np.array([1.0, -8.0]), np.array([2.0])]
    assert longest_step(direction) * 8.0 == LONGEST
    assert longest_step([np.zeros(2)]) == LARGEST
    assert longest_step([np.full(2, 5e-324)]) == LARGEST


def test_inner_products_run_over_all_agents() -> None:
    assert inner([np.ones((2, 2)), np.full(3, 2.0)], [np.ones((2, 2)), np.ones(3)]) == 10.0


def test_momentum_grows_towards_one_and_extrapolates() -> None:
    grown = [momentum_after(rounds) for rounds in range(100)]
    assert grown[0] == 0.0
    assert grown == sorted(grown)
    assert grown[-1] < 1.0
    assert extrapolate(np.array([3.0]), np.array([1.0]), 0.5).tolist() == [4.0]
    assert extrapolate(np.array([3.0]), np.array([1.0]), 0.0).tolist() == [3.0]
