"""Lemma 2 (section 4.2, proof in A.2): near-stationary points are near-Nash, on any DAG."""

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import FAMILIES, Dag
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.equilibrium import best_response, nash_gap
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value, solve_in_doubles
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import policy, theta_shape
from bnpg_math.theory.bounds import bounds
from bnpg_math.theory.constants import nash_threshold
from bnpg_math.theory.stationarity import (
    family_excess,
    gradient_max,
    gradient_norm,
    gradients,
    path_excess,
    path_norm,
)

DAGS = sorted(FAMILIES)


def over_parents(here, agent):
    d = here.values.d.reshape(-1, *(1,) * (here.tables[agent].ndim - 1))
    return d * here.marginal(here.dag.parents[agent])[..., None]


@pytest.mark.parametrize("dag", DAGS)
def test_the_gradient_determines_the_advantage(place, dag):
    """A.2, first step: Lemma 1 solved for A^i."""
    here = place(3, dag, actions=3)
    for agent, (table, e) in enumerate(zip(here.tables, here.gradients, strict=True)):
        c = here.lam * table.shape[-1] / table.size  # lambda / (S A_P)
        bracket = (e - c / table.shape[-1]) / table + c
        np.testing.assert_allclose(bracket / over_parents(here, agent), here.advantage(agent), atol=1e-9)


def covered(here):
    return coverage(here.game, here.values.pi, solve_in_doubles(here.game))


def least_lambda(here):
    """The smallest lambda at which e <= lambda/(S A_P A_i) holds in every entry of every agent."""
    flows = gradients(here.game, here.dag, here.tables, 0.0, here.values)
    # e = g + lambda/(S A_P) (1/A_i - pi) with the gradient g of the value alone.
    pairs = zip(flows, here.tables, strict=True)
    return max(float((g / table).max()) * table.size / table.shape[-1] for g, table in pairs)


@pytest.mark.parametrize("dag", DAGS)
@pytest.mark.parametrize("seed", range(20))
def test_lemma_2_prime(place, dag, seed):
    """One-sided, each agent beside its own family: the Nash gap is at most lambda C_pi, anywhere."""
    here = place(seed, dag, states=3, actions=3, gamma=0.9)
    here = here.at([2.0 * theta for theta in here.thetas])
    lam = least_lambda(here)
    grads = gradients(here.game, here.dag, here.tables, lam, here.values)
    assert family_excess(grads) == pytest.approx(nash_threshold(here.size, lam), rel=1e-9)
    gap = nash_gap(here.game, here.dag, here.tables, here.values).gap
    found = mismatch(here.game)
    C = covered(here).largest
    assert gap <= lam * C * (1 + 1e-9)
    assert 1.0 <= C <= found.mean * (1 + 1e-9) <= found.M * (1 + 1e-9)
    # Just inside the condition all the forms that apply hold.
    report = bounds(
        here.game, here.dag, lam * (1 + 1e-6), gradients(here.game, here.dag, here.tables, lam * (1 + 1e-6)),
        nash_gap=gap, optimality_gap=0.0, M=found.M, covered=covered(here),
    )  # fmt: skip
    assert [(b.met, b.holds) for b in report if (b.lemma, b.form) == ("lemma_2", "tight")] == [(True, True)]


def test_lemma_2_prime_is_attained(place):
    """One state and one agent: the bound is the gap itself."""
    for seed in range(10):
        here = place(seed, "empty", agents=1, states=1, actions=4, gamma=0.0)
        gap = nash_gap(here.game, here.dag, here.tables).gap
        assert gap == pytest.approx(least_lambda(here) * covered(here).largest, rel=1e-9)


@pytest.mark.parametrize("dag", ["empty", "complete"])
def test_lemma_2_prime_needs_no_assumption_1(place, dag):
    """Slotted Aloha has policies that never visit some states, so M is infinite; C_pi is finite."""
    game = find_game("slotted_aloha")
    assert np.inf == mismatch(game).M
    dag = FAMILIES[dag](game.agents)
    rng = np.random.default_rng(5)
    for _ in range(5):
        shapes = [theta_shape(game.states, game.actions, dag.parents[i], i) for i in range(game.agents)]
        here = type(place(0))(game, dag, [rng.normal(size=shape) for shape in shapes], 0.1)
        gap = nash_gap(game, dag, here.tables, here.values).gap
        assert gap <= least_lambda(here) * covered(here).largest < np.inf


@pytest.mark.parametrize("seed", range(5))
def test_c_pi_is_the_largest_mean_ratio_over_all_deterministic_policies(place, seed):
    """Numerators are linear in the occupancy, so one MDP solves for it; no Assumption 1."""
    here = place(seed, "line", agents=2, states=3, gamma=0.8)
    game, ratios = here.game, []
    for choice in np.ndindex(*(game.joint_actions,) * game.states):
        pi = np.zeros((game.states, game.joint_actions))
        pi[np.arange(game.states), list(choice)] = 1.0
        d = evaluate(game, pi.reshape(game.states, *game.actions)).d
        ratios.append((d / here.values.d).mean())
    C = covered(here)
    assert max(ratios) <= C.largest == pytest.approx(max(ratios), rel=1e-9)
    best = evaluate(game, optimal_value(game).policy).d
    assert (best / here.values.d).mean() <= C.optimal * (1 + 1e-14)
    assert C.optimal == pytest.approx((best / here.values.d).mean(), rel=1e-9)


@pytest.mark.parametrize("depth", [20.0, 300.0])
def test_c_pi_is_right_where_a_state_is_hardly_ever_visited(depth):
    """A door that is taken with probability e^-depth: d behind it has no absolute accuracy left."""
    # State 0 stays or goes to 1 for ever.
    transition = np.zeros((2, 2, 2))
    transition[0, 0, 0] = transition[0, 1, 1] = transition[1, :, 1] = 1.0
    game = dense_game("door", transition, np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([1.0, 0.0]), 0.5)
    table = policy(np.array([[0.0, -depth], [0.0, 0.0]]))
    p = 1.0 / (1.0 + np.exp(depth))
    # d(0) = 1/(1 - (1-p)/2), d(1) = 2 - d(0) = 2 p / (1 + p); who goes at once: d' = (1, 1).
    C = coverage(game, table, solve_in_doubles(game)).largest
    truth = ((1 + p) / 2 + (1 + p) / (2 * p)) / 2
    assert truth <= C * (1 + 1e-13)
    assert pytest.approx(truth, rel=1e-9) == C


@pytest.mark.parametrize("dag", DAGS)
@pytest.mark.parametrize("seed", range(10))
def test_no_bound_and_no_condition_is_harder_than_with_m(place, dag, seed):
    """C_pi <= M, and upward entries in proportion to families are at most the largest entry."""
    here = place(seed, dag, actions=3, gamma=0.9)
    M = mismatch(here.game).M
    gaps = {"nash_gap": 0.0, "optimality_gap": 0.0, "M": M}
    old, new = (
        bounds(here.game, here.dag, here.lam, here.gradients, **gaps, covered=known)
        for known in (None, covered(here))
    )
    for before, after in zip(old, new, strict=True):
        assert after.bound is None or after.bound <= before.bound
    assert all(b.bound == here.lam * M for b in old if b.form == "tight" and b.lemma == "lemma_2")
    assert family_excess(here.gradients) <= gradient_max(here.gradients)
    assert path_excess(here.gradients, here.dag) <= path_norm(here.gradients, here.dag)


@pytest.mark.parametrize("dag", DAGS)
@pytest.mark.parametrize("seed", range(2))
def test_lemma_2_with_m(place, dag, seed):
    """Section 4.2: max |e| <= lambda/(S K) bounds every advantage, and the Nash gap by lambda M."""
    start = place(seed, dag, gamma=0.5).zeros()
    limit = nash_threshold(start.size, start.lam)
    here = start.until(lambda at: gradient_max(at.gradients) <= limit, 4 / start.beta)
    for agent, table in enumerate(here.tables):
        c = here.lam * table.shape[-1] / table.size
        assert (here.advantage(agent) * over_parents(here, agent) <= c * (1 + 1e-9)).all()
    assert nash_gap(here.game, here.dag, here.tables, here.values).gap <= here.lam * here.mismatch


@pytest.mark.parametrize("dag", DAGS)
def test_the_performance_difference_of_one_deviator(place, dag):
    """A.2, last step: V' - V = sum_s d'(s) sum_aP pi(aP|s) sum_ai pi'^i A^i, parents unmoved by i."""
    here = place(4, dag)
    for agent in range(3):
        response = best_response(here.game, here.dag, here.tables, agent)
        tables = [*here.tables]
        tables[agent] = response.policy
        moved = evaluate(here.game, joint_policy(tables, here.dag))
        parents = here.marginal(here.dag.parents[agent])[..., None]
        d = moved.d.reshape(-1, *(1,) * (response.policy.ndim - 1))
        gain = (d * parents * response.policy * here.advantage(agent)).sum()
        assert moved.value - here.values.value == pytest.approx(gain, abs=1e-10)


def test_the_threshold_of_theorem_1_as_printed_fails_with_parents():
    """Erratum (A.3): lambda/(2 S max A_i) is met, and the Nash gap is 1, not 2 lambda M = .02."""
    lam, dag = 0.01, Dag(5, tuple((parent, 4) for parent in range(4)))
    reward = np.zeros((1, 2, 2, 2, 2, 2))
    reward[..., 0] = 1.0
    game = dense_game("saturated", np.ones((1, 2, 2, 2, 2, 2, 1)), reward, np.ones(1), 0.0)
    child = np.zeros((1, 2, 2, 2, 2, 2))
    child[..., 0] = -60.0
    tables = [policy(np.zeros((1, 2))) for _ in range(4)] + [policy(child)]
    norm = gradient_norm(gradients(game, dag, tables, lam))
    assert norm / lam == pytest.approx(0.177, abs=1e-3)
    assert norm < lam / (2 * 1 * 2)
    assert pytest.approx(1.0) == mismatch(game).M
    assert nash_gap(game, dag, tables).gap == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_m_is_the_largest_ratio_over_all_deterministic_policies(place, seed):
    """Lemma 2's M: numerator and denominator separate, and extremes are deterministic."""
    game = place(seed, "empty", agents=2, states=2, gamma=0.8).game
    visits = []
    for choice in np.ndindex(*(game.joint_actions,) * game.states):
        pi = np.zeros((game.states, game.joint_actions))
        pi[np.arange(game.states), list(choice)] = 1.0
        visits.append(evaluate(game, pi.reshape(game.states, *game.actions)).d)
    table = np.array(visits)
    assert pytest.approx((table.max(axis=0) / table.min(axis=0)).max(), rel=1e-10) == mismatch(game).M
