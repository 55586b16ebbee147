"""Theorems 1 and 2 (section 4.2, proofs in A.3 and A.5): how many updates are enough."""

import math

import numpy as np
import pytest

from bnpg_math.dag import FAMILIES
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.theory.constants import nash_threshold, optimality_threshold
from bnpg_math.theory.rates import rates
from bnpg_math.theory.stationarity import gradient_norm, path_norm


def course(start, eta, rounds):
    """The places of update (3), theta_0 first."""
    found = [start]
    for _ in range(rounds):
        found.append(found[-1].step(eta))
    return found


def promised(here, theorem, form="tight"):
    (rate,) = [
        rate
        for rate in rates(here.game, here.dag, here.lam, here.mismatch)
        if (rate.theorem, rate.form) == (theorem, form)
    ]
    return rate


@pytest.mark.parametrize("dag", sorted(FAMILIES))
@pytest.mark.parametrize("seed", range(2))
def test_theorem_1_tight(place, dag, seed):
    """Section 4.2: with lambda = eps/M some policy of the first T has a Nash gap of at most eps."""
    start = place(seed, dag, gamma=0.3, lam=1.0).zeros()
    rate = promised(start, "theorem_1")
    limit = nash_threshold(start.size, start.lam)
    here = start.until(
        lambda at: gradient_norm(at.gradients) <= limit, 1 / start.beta, most=int(rate.rounds) + 2
    )
    assert rate.epsilon == pytest.approx(start.lam * start.mismatch)
    assert nash_gap(here.game, here.dag, here.tables).gap <= rate.epsilon


@pytest.mark.parametrize("seed", range(3))
def test_theorem_2_tight(place, seed):
    """Section 4.2: with lambda = eps/M and all edges, some policy of the first T is eps-optimal."""
    start = place(seed, "complete", agents=2, gamma=0.3, lam=1.0).zeros()
    rate = promised(start, "theorem_2")
    limit = optimality_threshold(start.size, start.lam)
    here = start.until(
        lambda at: path_norm(at.gradients, at.dag) <= limit, 1 / start.beta, most=int(rate.rounds) + 2
    )
    gap = float(here.game.initial @ optimal_value(here.game).V) - here.values.value
    assert gap <= rate.epsilon == pytest.approx(start.lam * start.mismatch)


@pytest.mark.parametrize("dag", sorted(FAMILIES))
def test_the_descent_inequality(place, dag):
    """A.3: L never decreases at eta = 1/beta, and min_t ||grad||^2 <= 2 beta (L_T - L_0) / T."""
    start = place(6, dag)
    places = course(start, 1 / start.beta, 60)
    objectives = np.array([at.objective for at in places])
    norms = np.array([gradient_norm(at.gradients) for at in places])
    assert (np.diff(objectives) >= 0.5 / start.beta * norms[:-1] ** 2 - 1e-12).all()
    for T in range(1, 61):
        assert (norms[:T] ** 2).min() <= 2 * start.beta * (objectives[T] - objectives[0]) / T * (1 + 1e-9)


def test_a_step_twice_too_large_can_do_harm(place):
    """Why 1/beta and not any step: with a strong barrier, 4/beta of the barrier's own beta overshoots."""
    start = place(0, "empty", agents=1, states=1, gamma=0.0, lam=50.0)
    objectives = [at.objective for at in course(start, 8 / start.beta, 40)]
    assert np.diff(objectives).min() < -1e-3
    assert np.diff([at.objective for at in course(start, 1 / start.beta, 40)]).min() >= -1e-12


def test_theta_0_must_be_zero_or_its_barrier_be_counted(place):
    """Erratum: L* - L(theta_0) <= R/(1-gamma) holds for theta_0 = 0; else add the barrier's debt."""
    here = place(0, "line", lam=5.0)
    far = here.at([10 * theta for theta in here.thetas])
    worth = here.game.reward_range / (1 - here.game.gamma)
    best = float(here.game.initial @ optimal_value(here.game).V)
    assert best - here.zeros().objective <= worth
    assert best - far.objective > worth
    debt = far.values.value - far.objective  # lambda sum_i KL(Unif || pi_theta0)
    assert best - far.objective <= worth + debt


def test_the_printed_theorem_2_has_the_powers_of_two_of_another_lambda(place):
    """Erratum: lambda = eps/(2^(N+1) N M) enters squared, so 2^(2N+8) where 2^(N+8) is printed."""
    here = place(0, "complete", lam=1e-6)
    printed, corrected = (promised(here, "theorem_2", form).rounds for form in ("printed", "corrected"))
    assert corrected / printed == pytest.approx(2.0**3, rel=0.05)
    assert math.isfinite(corrected)
