"""Many states: iterating gives what factorising gives, and hands over where it does not converge."""

import gc
import weakref

import numpy as np
import pytest

from bnpg_math.arrays import krylov
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import complete
from bnpg_math.exact import values
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate, factorise
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import initial_normal, policy, theta_shape

GAMES = [
    "coordination(agents=3)",
    "coordination(agents=6)",
    "slotted_aloha",
    "stag_hunt",
    "random(states=20, agents=2, actions=3, branching=3, gamma=0.99, seed=4)",
]


def measured(spec):
    game = find_game(spec)
    dag = complete(game.agents)
    tables = [
        policy(initial_normal(7, i, theta_shape(game.states, game.actions, dag.parents[i], i)))
        for i in range(game.agents)
    ]
    found = evaluate(game, joint_policy(tables, dag))
    gaps = nash_gap(game, dag, tables, found).per_agent
    return np.concatenate([found.V, found.d, found.Q.reshape(-1), optimal_value(game).V, gaps])


@pytest.mark.parametrize("spec", GAMES)
def test_iterating_and_factorising_agree_to_rounding(spec, monkeypatch):
    direct = measured(spec)
    monkeypatch.setattr(values, "ITERATIVE_FROM", 1)
    np.testing.assert_allclose(measured(spec), direct, rtol=1e-11, atol=1e-11)


def test_well_mixing_chains_are_never_factorised():
    chain = np.random.default_rng(0).dirichlet(np.ones(600), size=600)

    def refuse():
        raise AssertionError("not needed")

    solve = krylov.krylov_solver(lambda x: chain @ x, 0.99, np.inf, refuse)
    b = np.arange(600.0)
    x = solve(b)
    assert np.abs(x - 0.99 * chain @ x - b).max() <= krylov.TOLERANCE * np.abs(x).max()


def test_a_chain_on_which_iterating_stalls_is_factorised():
    states = 600
    ring = np.roll(np.eye(states), 1, axis=1)  # forgets nothing: GMRES would need a step a state
    forward, backward = factorise(ring, 0.999)
    b = np.random.default_rng(1).normal(size=states)
    exact = np.linalg.solve(np.eye(states) - 0.999 * ring, b)
    np.testing.assert_allclose(forward(b), exact, rtol=1e-10)
    np.testing.assert_allclose(backward(b), np.linalg.solve(np.eye(states) - 0.999 * ring.T, b), rtol=1e-10)
    called = []

    def direct():
        called.append(True)
        return lambda b: np.linalg.solve(np.eye(states) - 0.999 * ring, b)

    solve = krylov.krylov_solver(lambda x: ring @ x, 0.999, np.inf, direct)
    solve(b)
    solve(b)
    assert called == [True]


def test_several_right_hand_sides_are_solved_one_by_one():
    chain = np.random.default_rng(0).dirichlet(np.ones(5), size=5)
    solve = krylov.krylov_solver(lambda x: chain @ x, 0.9, np.inf, lambda: pytest.fail("not needed"))
    B = np.eye(5)
    np.testing.assert_allclose(solve(B), np.linalg.inv(np.eye(5) - 0.9 * chain), rtol=1e-12)


def test_a_solver_that_is_no_longer_used_keeps_no_chain_in_memory():
    """A policy iteration makes one after the other; each may hold tens of megabytes."""
    chain = np.eye(3)
    kept = weakref.ref(chain)
    gc.disable()
    try:
        krylov.krylov_solver(lambda x, chain=chain: chain @ x, 0.5, np.inf, lambda: None)(np.ones(3))
        del chain
        assert kept() is None
    finally:
        gc.enable()
