"""Lemma 2 (section 4.2, proof in A.2): near-stationary points are near-Nash, on any DAG."""

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import FAMILIES, Dag
from bnpg_math.exact.equilibrium import best_response, nash_gap
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.constants import nash_threshold
from bnpg_math.theory.stationarity import gradient_max, gradient_norm, gradients

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


@pytest.mark.parametrize("dag", DAGS)
@pytest.mark.parametrize("seed", range(2))
def test_lemma_2_tight(place, dag, seed):
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
