"""Lemmas 2 to 4 and Theorems 1 and 2 as numbers."""

import math

import numpy as np
import pytest

from bnpg.evaluation.measure import measure
from bnpg_math.dag import Dag, complete, empty
from bnpg_math.errors import InputError
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game, dense_game
from bnpg_math.games.registry import game
from bnpg_math.policies.joint import Policy
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.bounds import bounds, obeys
from bnpg_math.theory.constants import (
    FORMS,
    nash_threshold,
    optimality_bound,
    optimality_threshold,
    sizes,
    smoothness,
)
from bnpg_math.theory.rates import RateConstants, rates, rounds
from bnpg_math.theory.stationarity import gradient_rounding, gradient_rounding_at_any_policy, gradients
from bnpg_math.theory.weighted_bound import weighted_bound


def lookup(found, lemma, form):
    (one,) = [bound for bound in found if (bound.lemma, bound.form) == (lemma, form)]
    return one


def test_the_constants_by_hand():
    """Coordination with 3 agents: S = 8, A = 8, max A_i = 2, complete DAG: A_P = 1, 2, 4, so K = 8, R = 3."""
    size = sizes(game("coordination"), complete(3))
    assert (size.states, size.joint, size.largest, size.family) == (8, 8, 2, 8)
    assert size.parents == (1, 2, 4)
    assert size.complete
    lam = 0.1
    assert nash_threshold(size, lam, "printed") == pytest.approx(lam / 256)
    assert nash_threshold(size, lam, "corrected") == pytest.approx(lam / 128)
    assert nash_threshold(size, lam, "tight") == pytest.approx(lam / 64)
    assert optimality_threshold(size, lam, "printed") == pytest.approx(lam / 256)
    assert optimality_threshold(size, lam, "corrected") == pytest.approx(lam / 256)
    assert optimality_threshold(size, lam, "tight") == pytest.approx(lam / 64)
    assert optimality_bound(size, lam, 10.0, "printed") == pytest.approx(48.0)
    assert optimality_bound(size, lam, 10.0, "tight") == pytest.approx(1.0)
    assert smoothness(size, lam, "tight") == pytest.approx(3 / (2 * 0.0025) + 0.1 / 16)
    printed = 8 * 3 * 3 / 0.05**3 + 2 * 0.1 / 8 * (1 + 1 / 2 + 1 / 4)
    assert smoothness(size, lam, "printed") == smoothness(size, lam, "corrected") == pytest.approx(printed)


def test_the_certified_step_grows_by_sixteen_agents_over_survival():
    size = sizes(game("coordination"), complete(3))
    assert smoothness(size, 0.0, "printed") / smoothness(size, 0.0) == pytest.approx(16 * 3 / 0.05)


def test_a_game_without_reward_or_barrier_has_no_smoothness_to_divide_by():
    flat = sizes(game("random(states=1, agents=1, actions=1, branching=1)"), Dag(1))
    assert smoothness(flat, 0.0) == 0.0


def test_every_lemma_is_reported_in_every_form(problem):
    grads = [np.array([[0.001, -0.001]]), np.array([[[0.0, 0.0], [0.002, -0.002]]])]
    built = problem(0, dag=complete(2), states=1).game
    found = bounds(built, complete(2), 0.1, grads, nash_gap=0.5, optimality_gap=0.05, M=1.0)
    assert [(b.lemma, b.form) for b in found] == [
        (lemma, form) for lemma in ("lemma_2", "lemma_3", "lemma_4") for form in FORMS
    ]
    two = lookup(found, "lemma_2", "tight")
    assert (two.norm, two.gradient, two.bound, two.measured) == ("family", 0.002, 0.1, 0.5)
    assert two.met
    assert not two.holds
    assert two.refuted
    three = lookup(found, "lemma_3", "tight")
    assert (three.norm, three.gradient) == ("path", pytest.approx(0.002))
    assert three.holds
    assert not three.refuted
    assert lookup(found, "lemma_2", "printed").gradient == pytest.approx(math.sqrt(1e-5))


def test_a_missing_or_infinite_m_is_said_not_hidden():
    grads = [np.zeros((1, 2)), np.zeros((1, 2))]
    for M, reason in ((None, "was not computed"), (math.inf, "Assumption 1 fails")):
        found = bounds(game("stag_hunt"), empty(2), 0.1, grads, nash_gap=0.0, optimality_gap=1.0, M=M)
        for form in FORMS:
            bound = lookup(found, "lemma_2", form)
            assert bound.bound is None
            assert bound.holds is None
            assert reason in bound.reason
        assert all(value is None or math.isfinite(value) for b in found for value in (b.bound, b.threshold))


@pytest.mark.parametrize("weight", [0.0, 5e-324, 1e-300])
def test_no_lemma_is_met_where_its_threshold_is_nothing(weight):
    """A saturated table has a gradient of exactly 0, and any gap."""
    grads = [np.zeros((1, 3)), np.zeros((1, 3, 3))]
    found = bounds(game("climbing"), complete(2), weight, grads, nash_gap=6.0, optimality_gap=6.0, M=1.0)
    assert [bound.met for bound in found if bound.lemma != "lemma_4"] == [False] * 6
    assert not any(bound.refuted for bound in found)


def test_a_threshold_within_the_rounding_of_the_gradient_is_not_met():
    grads = [np.array([[1e-12, -1e-12]]), np.zeros((1, 2, 2))]
    stag = game("stag_hunt")
    for rounding, met in ((0.0, True), (1e-3, False)):
        found = bounds(
            stag, complete(2), 1e-6, grads, nash_gap=0.0, optimality_gap=0.0, M=1.0, rounding=rounding
        )
        assert lookup(found, "lemma_2", "tight").met is met
        assert lookup(found, "lemma_3", "tight").met is met


@pytest.mark.parametrize("unit", [1e-100, 1e-11, 1.0, 1e100])
def test_a_broken_promise_is_seen_in_any_unit(unit):
    """Climbing in units of 1e-11: 79 times the bound was within an absolute slack of 1e-9."""
    climbing = game("climbing")
    small = dense_game("small", np.ones((1, 3, 3, 1)), climbing.reward * unit, np.ones(1), 0.0)
    measured = measure(
        small, Policy.from_tables(empty(2), [np.array([[0.01, 0.01, 0.98]])] * 2), 0.01 * unit, True
    )
    two = lookup(measured.bounds, "lemma_2", "tight")
    assert two.measured > 79 * two.bound
    assert (two.holds, two.reason) == (False, None)


def test_a_weighted_barrier_breaks_its_promise_in_any_unit_too():
    stag = game("stag_hunt")
    small = dense_game("small", np.ones((1, 2, 2, 1)), stag.reward * 1e-11, np.ones(1), 0.0)
    tables = [np.array([[0.01, 0.99]])] * 2
    grads = gradients(small, empty(2), tables, (1e-13, 1e-13))
    found = weighted_bound(small, empty(2), (1e-13, 1e-13), grads, price=0.0, optimality_gap=2e-11, M=1.0)
    assert found.holds is False
    unsure = weighted_bound(
        small, empty(2), (1e-13, 1e-13), grads, price=0.0, optimality_gap=2e-11, off=3e-11, M=1.0
    )
    assert unsure.holds is None
    assert "to within 3e-11 only" in unsure.reason


@pytest.mark.parametrize(
    ("measured", "limit", "off", "holds"),
    [
        (0.0, 0.0, 0.0, True),
        (1.0, 1.0, 0.0, True),
        (1.0 + 1e-10, 1.0, 0.0, True),
        (1.0 + 1e-8, 1.0, 0.0, False),
        (1e-20, 0.0, 0.0, False),
        (1e-20, 0.0, 1e-19, None),
        (2.0, 1.0, 0.5, False),
        (2.0, 1.0, 1.5, None),
        (2.0, 1.0, math.inf, None),
        (0.5, 1.0, math.inf, True),
        (math.nan, 1.0, math.inf, None),
    ],
)
def test_what_cannot_be_told_from_a_limit_is_not_said_to_be_beyond_it(measured, limit, off, holds):
    found, reason = obeys(measured, limit, off)
    assert found is holds
    assert (reason is None) is (holds is not None)


def test_a_curvature_that_is_rounding_refutes_nothing():
    """All rewards alike beside small weights: beta is 0, and the gradient what rounding leaves."""
    flat = dense_game("flat", np.ones((1, 3, 3, 1)), np.full((1, 3, 3), 0.3), np.ones(1), 0.9)
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(20):
        tables = [policy(rng.normal(size=(1, 3))) for _ in range(2)]
        four = lookup(
            measure(flat, Policy.from_tables(empty(2), tables), 0.0, True).bounds, "lemma_4", "tight"
        )
        assert not four.refuted
        seen += four.measured is not None and four.measured > four.bound
    assert seen > 5


@pytest.mark.parametrize("seed", range(20))
def test_the_rounding_at_any_policy_is_no_less_than_at_one(problem, seed):
    built = problem(seed)
    values = evaluate(built.game, built.joint)
    assert 0.0 < gradient_rounding(built.game, values) <= gradient_rounding_at_any_policy(built.game)


def test_lemma_3_is_silent_without_a_complete_dag():
    grads = [np.zeros((1, 2)), np.zeros((1, 2))]
    found = bounds(game("stag_hunt"), empty(2), 0.1, grads, nash_gap=0.0, optimality_gap=1.0, M=1.0)
    for form in FORMS:
        bound = lookup(found, "lemma_3", form)
        assert (bound.threshold, bound.met, bound.bound, bound.holds) == (None, None, None, None)
        assert "complete DAGs only" in bound.reason
    theorem = [rate for rate in rates(game("stag_hunt"), empty(2), 0.1, 1.0) if rate.theorem == "theorem_2"]
    assert all(rate.rounds is None and "complete" in rate.reason for rate in theorem)


def test_the_rates_are_those_of_the_text():
    """Tight: T = 2 beta Delta S^2 max_i A_P^2 A_i (A_i - 1) / lambda^2, and sum_i (1 - 1/A_i) S^2 A^2."""
    built, dag, lam = game("coordination"), complete(3), 0.1
    size = sizes(built, dag)
    beta, scale = smoothness(size, lam), 3 / 0.05
    assert rounds(size, lam, "theorem_1", "tight") == pytest.approx(2 * beta * scale * 64 * 32 / lam**2)
    assert rounds(size, lam, "theorem_2", "tight") == pytest.approx(2 * beta * scale * 1.5 * 64 * 64 / lam**2)
    half = rounds(size, lam, "theorem_2", "tight", room=scale / 2)
    assert half == pytest.approx(rounds(size, lam, "theorem_2", "tight") / 2)
    sharper = rates(built, dag, lam, 97.1, RateConstants(mean=50.0, optimal=10.0, room=scale / 3))
    tight = {rate.theorem: rate for rate in sharper if rate.form == "tight"}
    assert tight["theorem_1"].epsilon == pytest.approx(lam * 50.0)
    assert tight["theorem_2"].epsilon == pytest.approx(lam * 10.0)
    assert tight["theorem_2"].rounds == pytest.approx(rounds(size, lam, "theorem_2", "tight") / 3)
    M = 97.1
    by_name = {(rate.theorem, rate.form): rate for rate in rates(built, dag, lam, M)}
    assert by_name["theorem_1", "tight"].epsilon == pytest.approx(lam * M)
    assert by_name["theorem_1", "printed"].epsilon == pytest.approx(2 * lam * M)
    assert by_name["theorem_2", "printed"].epsilon == pytest.approx(48 * lam * M)
    assert by_name["theorem_1", "tight"].step_size == pytest.approx(1 / beta)


def test_the_printed_rates_are_the_displayed_formulas():
    """Theorems 1 and 2 as displayed, with lambda = epsilon/(2M) and epsilon/(2^(N+1) N M)."""
    size = sizes(game("coordination"), complete(3))
    N, S, A, a, R, g, M = 3, 8, 8, 2, 3.0, 0.95, 97.1
    coverage = 1 + 1 / 2 + 1 / 4
    eps, lam = 2.0, 2.0 / (2 * M)
    first = 256 * N * M**2 * S**2 * a**2 * R**2 / ((1 - g) ** 4 * eps**2)
    second = 32 * lam * M * S * a**2 * coverage * R / ((1 - g) * eps)
    assert rounds(size, lam, "theorem_1", "printed") == pytest.approx(first + second)
    lam = eps / (2 ** (N + 1) * N * M)
    first = 2 ** (N + 8) * N**3 * M**2 * S**2 * A**2 * a**2 * R**2 / (eps**2 * (1 - g) ** 4)
    second = 8 * N * M * S * A**2 * a**2 * R * coverage / (eps * (1 - g))
    assert rounds(size, lam, "theorem_2", "printed") == pytest.approx(first + second)


@pytest.mark.parametrize("places", [-1000, -600, -521, -300, 0, 300, 480])
def test_rates_are_the_same_in_any_unit(places: int):
    """But for the second term of the printed Theorem 1, which has lambda beside numbers."""
    built, dag, lam = game("coordination"), complete(3), 0.125
    there = Game(built.name, built.transition, np.ldexp(built.reward, places), built.initial, built.gamma)
    for here, moved in zip(
        rates(built, dag, lam, 4.0), rates(there, dag, math.ldexp(lam, places), 4.0), strict=True
    ):
        if (here.theorem, here.form) != ("theorem_1", "printed"):
            assert moved.rounds == here.rounds
        elif places < 0:
            assert moved.rounds == pytest.approx(here.rounds, rel=1e-3)
            assert math.isfinite(moved.rounds)


def test_the_corrected_rates_expand_to_the_corrected_formulas():
    """2^(2N+5), 2^(2N+8) and 2^(N+5) N M in Theorem 2; 32 M and K in Theorem 1."""
    size = sizes(game("coordination"), complete(3))
    N, S, A, a, K, R, g, M, eps = 3, 8, 8, 2, 8, 3.0, 0.95, 97.1, 2.0
    coverage = 1 + 1 / 2 + 1 / 4
    first = 256 * N * M**2 * S**2 * K**2 * R**2 / ((1 - g) ** 4 * eps**2)
    second = 32 * M * S * K**2 * coverage * R / ((1 - g) * eps)
    assert rounds(size, eps / (2 * M), "theorem_1", "corrected") == pytest.approx(first + second)
    lam = eps / (2 ** (N + 1) * N * M)
    first = 2 ** (2 * N + 8) * N**3 * M**2 * S**2 * A**2 * a**2 * R**2 / (eps**2 * (1 - g) ** 4)
    second = 2 ** (N + 5) * N * M * S * A**2 * a**2 * R * coverage / (eps * (1 - g))
    assert rounds(size, lam, "theorem_2", "corrected") == pytest.approx(first + second)


def test_a_rate_needs_a_positive_regularization():
    with pytest.raises(InputError, match="positive regularization"):
        rates(game("climbing"), empty(2), 0.0)
