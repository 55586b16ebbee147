"""Lemma 3 (section 4.2, proof in A.4): on the complete DAG, near-stationary points are near-optimal."""

import math

import numpy as np
import pytest
from scipy.optimize import root

from bnpg_math.arrays.joint import spread
from bnpg_math.dag import Dag, complete
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value, solve_in_doubles
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.bounds import tight_bounds
from bnpg_math.theory.constants import nash_threshold, optimality_threshold, sizes
from bnpg_math.theory.stationarity import gradient_norm, gradients, path_excess, path_norm

REVERSED = Dag(3, ((2, 1), (2, 0), (1, 0)))


@pytest.mark.parametrize("dag", [complete(3), REVERSED], ids=["0 1 2", "2 1 0"])
def test_advantages_telescope_along_the_order(place, dag):
    """A.4 repaired: A(s,a) = (1/d) [ sum_i e_i / pi(a_1..a_i|s) + (lambda/S) (1 - 1/(A pi(a|s))) ]."""
    here = place(1, dag, actions=3)
    game, d = here.game, here.values.d.reshape(-1, 1, 1, 1)
    total = np.zeros((game.states, *game.actions))
    for agent, e in enumerate(here.gradients):
        family = dag.families[agent]
        total = total + spread(e / here.marginal(family), family, 3)
    total += here.lam / game.states * (1 - 1 / (game.joint_actions * here.values.pi))
    joint_advantage = here.values.Q - here.values.V.reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(total / d, joint_advantage, atol=1e-8)


@pytest.mark.parametrize("dag", [complete(3), REVERSED], ids=["0 1 2", "2 1 0"])
@pytest.mark.parametrize("seed", range(12))
def test_lemma_3_prime(place, dag, seed):
    """One-sided: the optimality gap is at most (lambda/S) sum_s d*(s)/d(s) <= lambda C*, anywhere."""
    here = place(seed, dag, states=3, actions=3, gamma=0.9)
    # Far from the uniform policy the condition fails for every lambda: it is one on the barrier, too.
    here = here.at([0.03 * theta for theta in here.thetas])

    def excess(lam):
        grads = gradients(here.game, here.dag, here.tables, lam, here.values)
        return path_excess(grads, here.dag) / optimality_threshold(here.size, lam)

    # The smallest lambda at which the condition is met: at that lambda the bound is hardest to keep.
    low, high = 1e-6, 1e6
    assert excess(high) <= 1
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if excess(middle) <= 1 else (middle, high)
    best = optimal_value(here.game)
    gap = float(here.game.initial @ best.V) - here.values.value
    d = evaluate(here.game, best.policy).d
    ratio = float((d / here.values.d).mean())
    assert gap <= high * ratio * (1 + 1e-9)
    found = mismatch(here.game)
    assert ratio <= found.of_optimal(d) <= found.mean <= found.M
    promised = tight_bounds(
        here.size, high, found.M, coverage(here.game, here.values.pi, solve_in_doubles(here.game))
    )
    assert gap * (1 - 1e-9) <= promised[1] <= promised[0] <= high * found.M
    assert promised[1] == pytest.approx(high * ratio, rel=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_lemma_3_with_m(place, seed):
    """Section 4.2: sum_i |e_i| <= lambda/(S A) along every joint action: optimality gap <= lambda M."""
    start = place(seed, "complete", agents=2, gamma=0.5).zeros()
    limit = optimality_threshold(start.size, start.lam)
    here = start.until(lambda at: path_norm(at.gradients, at.dag) <= limit, 4 / start.beta)
    gap = float(here.game.initial @ optimal_value(here.game).V) - here.values.value
    assert gap <= here.lam * here.mismatch
    joint_advantage = here.values.Q - here.values.V.reshape(-1, 1, 1)
    limit = here.lam / here.game.states / here.values.d.reshape(-1, 1, 1)
    assert (joint_advantage <= limit * (1 + 1e-9)).all()


def test_the_euclidean_norm_suffices(place):
    """Cauchy-Schwarz: the path norm is at most sqrt(N) times the Euclidean one."""
    for seed in range(20):
        here = place(seed, "complete")
        assert path_norm(here.gradients, here.dag) <= math.sqrt(3) * gradient_norm(here.gradients)


def test_without_all_edges_a_stationary_point_may_be_far_from_optimal(place):
    """Definition 3 is needed: the stag hunt's product policy can rest in the bad equilibrium."""
    game = dense_game("stag", np.ones((1, 2, 2, 1)), np.array([[[8.0, 3.0], [3.0, 6.0]]]), np.ones(1), 0.0)
    lam = 0.01
    gaps = {}
    for name, dag in (("product", Dag(2)), ("correlated", complete(2))):
        shapes = [(1, 2), (1, 2) if not dag.edges else (1, 2, 2)]
        thetas = [np.broadcast_to([-3.0, 0.0], shape).copy() for shape in shapes]
        here = type(place(0))(game, dag, thetas, lam)
        limit = optimality_threshold(here.size, lam)
        here = here.until(lambda at, limit=limit: path_norm(at.gradients, at.dag) <= limit, 0.4)
        gaps[name] = 8.0 - here.values.value
    assert gaps["product"] > 1.9
    assert gaps["correlated"] <= lam


def test_inequality_4_is_false(place):
    """Erratum: (4), pi >= 1/(2 A_i), fails inside the printed threshold where the advantage is negative."""
    lam, dag = 1e-4, complete(2)
    game = dense_game("cliff", np.ones((1, 2, 2, 1)), np.array([[[1.0, 1.0], [0.0, 0.5]]]), np.ones(1), 0.0)

    def tables(x):
        leader, follower = x[:1], x[1:].reshape(1, 2)
        return [policy(np.stack([part / 2, -part / 2], axis=-1)) for part in (leader, follower)]

    def residual(x):
        found = gradients(game, dag, tables(x), lam)
        return np.concatenate([gradient[..., 0].reshape(-1) for gradient in found]) / lam

    here = tables(root(residual, np.array([9.0, 0.0, -1.0]), tol=1e-13).x)
    assert gradient_norm(gradients(game, dag, here, lam)) <= nash_threshold(sizes(game, dag), lam, "printed")
    assert min(table.min() for table in here) == pytest.approx(8e-5, rel=0.35)
