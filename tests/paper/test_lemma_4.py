"""Lemma 4 (appendix A): L_lambda is beta-smooth, with a beta free of N and with (1-gamma)^2."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.dag import FAMILIES
from bnpg_math.theory.constants import sizes, smoothness


def flat(parts):
    return np.concatenate([part.reshape(-1) for part in parts])


def hessian(here, width=1e-5):
    """The whole Hessian of L_lambda, by central differences of the exact gradient."""
    columns = []
    for agent, theta in enumerate(here.thetas):
        for index in np.ndindex(theta.shape):
            sides = []
            for sign in (width, -width):
                moved = [one.copy() for one in here.thetas]
                moved[agent][index] += sign
                sides.append(flat(here.at(moved).gradients))
            columns.append((sides[0] - sides[1]) / (2 * width))
    matrix = np.array(columns)
    return (matrix + matrix.T) / 2


@pytest.mark.parametrize("dag", sorted(FAMILIES))
@pytest.mark.parametrize("gamma", [0.0, 0.8])
def test_lemma_4_tight(place, dag, gamma):
    """Appendix A: the largest eigenvalue of the Hessian, in absolute value, is at most beta."""
    for seed in range(4):
        here = place(seed, dag, gamma=gamma)
        spread = 0.3 if seed % 2 else 1.0
        here = here.at([spread * theta for theta in here.thetas])
        largest = np.abs(np.linalg.eigvalsh(hessian(here))).max()
        assert largest <= here.beta
        assert here.beta <= smoothness(here.size, here.lam, "printed")


@given(
    logits=st.lists(st.floats(-20, 20), min_size=1, max_size=6),
    direction=st.lists(st.floats(-5, 5), min_size=6, max_size=6),
)
def test_the_variance_over_a_softmax_is_at_most_half_the_squared_norm(logits, direction):
    """The step that frees beta of A: Var_pi(u) <= |u|^2 / 2."""
    weights = np.exp(np.array(logits) - max(logits))
    weights /= weights.sum()
    u = np.array(direction[: len(logits)])
    assert weights @ (u - weights @ u) ** 2 <= 0.5 * u @ u + 1e-9


@pytest.mark.parametrize("dag", sorted(FAMILIES))
def test_squared_scores_equal_minus_their_derivatives_in_expectation(place, dag):
    """The step that frees beta of N: E(sum_i l'_i)^2 = -E sum_i l''_i <= 1/2, martingale differences."""
    here = place(7, dag, states=1)
    rng = np.random.default_rng(0)
    u = [rng.normal(size=theta.shape) for theta in here.thetas]
    length = math.sqrt(sum(float((part**2).sum()) for part in u))
    u = [part / length for part in u]
    squares = curvatures = 0.0
    for a in np.ndindex(*here.game.actions):
        first = second = 0.0
        for agent, (table, part) in enumerate(zip(here.tables, u, strict=True)):
            row = (0, *(a[parent] for parent in here.dag.parents[agent]))
            mean = table[row] @ part[row]
            first += part[row][a[agent]] - mean
            second -= table[row] @ (part[row] - mean) ** 2
        squares += here.values.pi[(0, *a)] * first**2
        curvatures += here.values.pi[(0, *a)] * second
    assert squares == pytest.approx(-curvatures, abs=1e-12)
    assert squares <= 0.5


def test_the_certified_step_is_16_n_over_1_minus_gamma_times_the_printed_one(place):
    """Without a barrier, printed beta / tight beta = 16 N / (1-gamma)."""
    here = place(0, "line", gamma=0.75)
    size = sizes(here.game, here.dag)
    ratio = smoothness(size, 0.0, "printed") / smoothness(size, 0.0, "tight")
    assert ratio == pytest.approx(16 * 3 / 0.25)
