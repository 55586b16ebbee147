"""Lemma 1 (section 4.1, proof in A.1): the policy gradient of a Bayesian-network policy."""

import numpy as np
import pytest

from bnpg_math.dag import FAMILIES, Dag

DAGS = [*sorted(FAMILIES), Dag(3, ((2, 0), (0, 1))), Dag(3, ((2, 1), (1, 0), (2, 0)))]


@pytest.mark.parametrize("dag", DAGS, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_lemma_1_is_the_slope_of_the_objective(place, dag, seed):
    """Section 4.1, Lemma 1 corrected: against central differences in every logit."""
    here, width = place(seed, dag, actions=3), 1e-5
    for agent, gradient in enumerate(here.gradients):
        for index in np.ndindex(gradient.shape):
            sides = []
            for sign in (width, -width):
                moved = [theta.copy() for theta in here.thetas]
                moved[agent][index] += sign
                sides.append(here.at(moved).objective)
            assert (sides[0] - sides[1]) / (2 * width) == pytest.approx(gradient[index], abs=2e-8)


@pytest.mark.parametrize("dag", DAGS, ids=str)
def test_lemma_1_written_as_in_the_paper(place, dag):
    """d(s) pi(aP|s) pi^i A^i + lambda/(S A_P) (1/A_i - pi^i), with the first Q conditioned on P^i_+."""
    here = place(5, dag, actions=3)
    for agent, (table, gradient) in enumerate(zip(here.tables, here.gradients, strict=True)):
        d = here.values.d.reshape(-1, *(1,) * (table.ndim - 1))
        parents = here.marginal(here.dag.parents[agent])[..., None]
        rows = table.size / table.shape[-1]
        expected = d * parents * table * here.advantage(agent)
        expected += here.lam / rows * (1 / table.shape[-1] - table)
        np.testing.assert_allclose(gradient, expected, atol=1e-12)


def test_the_printed_factor_counts_the_horizon_twice(place):
    """Erratum: with the unnormalised d of section 2, 1/(1-gamma) has no place in Lemma 1."""
    here = place(2, "line", gamma=0.5, lam=0.0)
    width, agent = 1e-5, 2
    moved = [[theta.copy() for theta in here.thetas] for _ in range(2)]
    moved[0][agent][0, 0, 0] += width
    moved[1][agent][0, 0, 0] -= width
    slope = (here.at(moved[0]).objective - here.at(moved[1]).objective) / (2 * width)
    printed = here.gradients[agent][0, 0, 0] / (1 - here.game.gamma)
    assert here.values.d.sum() == pytest.approx(1 / (1 - here.game.gamma))
    assert abs(slope) > 1e-3
    assert printed == pytest.approx(2 * slope, rel=1e-6)
