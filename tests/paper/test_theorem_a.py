"""Theorem A, and D2 for update (3): without a barrier the optimum is reached, with any step size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, complete, empty, line
from bnpg_math.errors import DagError
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.learning.gradient import update
from bnpg_math.policies.softmax import policy, theta_shape
from bnpg_math.theory.constants import sizes, smoothness
from bnpg_math.theory.curvature import curvature
from bnpg_math.theory.global_optimality import distance_constant, largest_fall, node_values
from bnpg_math.theory.stationarity import gradient_norm, gradients


class Course:
    """Update (3) without a barrier."""

    def __init__(self, game, dag, eta, thetas=None):
        self.game, self.dag, self.eta = game, dag, eta
        shapes = [theta_shape(game.states, game.actions, dag.parents[i], i) for i in range(dag.agents)]
        self.thetas = [np.zeros(shape) for shape in shapes] if thetas is None else thetas
        self.best = optimal_value(game)
        self.top = float(game.initial @ self.best.V)
        self.visits = evaluate(game, self.best.policy).d
        self.look()

    def look(self):
        self.tables = [policy(theta) for theta in self.thetas]
        self.values = evaluate(self.game, joint_policy(self.tables, self.dag))
        self.grads = gradients(self.game, self.dag, self.tables, 0.0, self.values)
        self.gap = self.top - self.values.value
        complete_ = self.dag.is_complete
        self.nodes = node_values(self.dag, self.tables, self.values.Q) if complete_ else [self.values.V]

    def step(self):
        pairs = zip(self.thetas, self.grads, strict=True)
        self.thetas = [update(theta, grad, self.eta) for theta, grad in pairs]
        self.look()

    @property
    def distance(self):
        return distance_constant(self.dag, self.tables, self.values.d, self.best.policy, self.visits)


@pytest.mark.parametrize("eta", [0.1, 3.0, 100.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_node_ever_falls(place, seed, eta):
    """Complete DAG, lambda = 0: V(s, a_<i) rises at every prefix of every state, whatever the step."""
    here = place(seed, "complete", actions=3)
    course = Course(here.game, here.dag, eta, here.thetas)
    scale = np.abs(here.game.reward).max() / (1 - here.game.gamma) ** 2
    for _ in range(60):
        before = course.nodes
        course.step()
        assert largest_fall(before, course.nodes) <= 1e-13 * scale


@pytest.mark.parametrize("seed", range(3))
def test_no_state_ever_falls_on_a_perfect_dag_in_an_additive_game(seed):
    """D2: a chain, a reward on its edges, and steps far beyond 1/beta."""
    rng = np.random.default_rng(seed)
    reward = (rng.normal(size=(1, 2, 3, 1)) + rng.normal(size=(1, 1, 3, 2)) * 2).reshape(1, 2, 3, 2)
    game = dense_game("chain", np.ones((1, 2, 3, 2, 1)), reward, np.ones(1), 0.5)
    course = Course(game, line(3), 10.0)
    for _ in range(300):
        before = course.nodes
        course.step()
        assert largest_fall(before, course.nodes) <= 1e-12
    assert course.gap < 0.02 * game.reward_range


def test_states_may_fall_where_local_advantages_do_not_add_up():
    """Two who must differ, without an edge: both move away from the same action, and the value falls."""
    game = dense_game("differ", np.ones((1, 2, 2, 1)), np.array([[[0.0, 1.0], [1.0, 0.0]]]), np.ones(1), 0.0)
    course = Course(game, empty(2), 50.0, [np.array([[0.1, 0.0]])] * 2)
    before = course.nodes
    course.step()
    assert largest_fall(before, course.nodes) > 0.02


@pytest.mark.parametrize(("spec", "needed"), [("climbing", 1_332), ("penalty(k=-100)", 3_249)])
def test_the_optimum_is_reached_where_the_product_policy_is_stuck(spec, needed):
    """climbing and penalty(-100), complete DAG, eta = 1: within 1e-3; without an edge at 4 and 8."""
    course = Course(find_game(spec), complete(2), 1.0)
    for _ in range(needed + 5):
        if course.gap <= 1e-3:
            break
        course.step()
    assert course.gap <= 1e-3
    alone = Course(find_game(spec), empty(2), 0.01)
    for _ in range(3_000):
        alone.step()
    assert alone.gap > 3.9


@pytest.mark.parametrize("seed", range(4))
def test_the_gap_is_at_most_c_times_the_gradient(place, seed):
    """V* - V <= C ||grad V||, at any policy."""
    for spread in (0.3, 1.0, 3.0):
        here = place(seed, "complete", actions=3)
        course = Course(here.game, here.dag, 1.0, [spread * theta for theta in here.thetas])
        assert course.gap <= course.distance * gradient_norm(course.grads) * (1 + 1e-9)


def test_the_bound_by_c_is_attained():
    """One agent of two actions: the gap is C ||grad V|| to the last digit."""
    game = dense_game("one", np.ones((1, 2, 1)), np.array([[1.0, 0.0]]), np.ones(1), 0.0)
    course = Course(game, Dag(1), 1.0, [np.array([[0.4, -0.3]])])
    assert course.gap == pytest.approx(course.distance * gradient_norm(course.grads))


@pytest.mark.parametrize("seed", range(3))
def test_the_rate_with_a_certified_step(place, seed):
    """eta <= 1/beta: V* - V_T <= 2 / (eta c^2 T) with c the least 1/C on the way."""
    here = place(seed, "complete", actions=3)
    eta = 1 / smoothness(sizes(here.game, here.dag), 0.0)
    course = Course(here.game, here.dag, eta)
    c = math.inf
    for T in range(1, 120):
        c = min(c, 1 / course.distance)
        course.step()
        assert course.gap <= 2 / (eta * c**2 * T)


@pytest.mark.parametrize("eta", [0.5, 5.0])
@pytest.mark.parametrize("seed", range(2))
def test_the_ascent_with_any_step(place, seed, eta):
    """V rises by at least eta phi / M ||grad V||^2, phi = e^-X (1 - e^-X)/X e^(-2(N-1)X)."""
    here = place(seed, "complete")
    course = Course(here.game, here.dag, eta)
    M = mismatch(here.game).M
    for _ in range(40):
        before, norm = course.values.value, gradient_norm(course.grads)
        X = eta * max(float(np.abs(grad).max()) for grad in course.grads)
        phi = math.exp(-X) * -math.expm1(-X) / X * math.exp(-2 * (here.game.agents - 1) * X)
        course.step()
        assert course.values.value - before >= eta * phi / M * norm**2 * (1 - 1e-9) - 1e-13


@given(
    logits=st.lists(st.floats(-8, 8), min_size=2, max_size=5),
    worth=st.lists(st.floats(-5, 5), min_size=5, max_size=5),
    kappa=st.floats(1e-3, 1e3),
)
def test_an_update_never_lowers_the_mean_advantage_of_a_row(logits, worth, kappa):
    """The step behind monotonicity: sum_b pi+_b A_b >= 0 for theta_b += kappa pi_b A_b, any kappa."""
    pi = policy(np.array([logits]))[0]
    A = np.array(worth[: len(pi)])
    A -= pi @ A
    moved = policy(np.array([np.log(pi) + kappa * pi * A]))[0]
    assert moved @ A >= -1e-12


def test_nodes_are_those_of_the_complete_dag_only(place):
    here = place(0, "line")
    with pytest.raises(DagError, match="complete DAG only"):
        node_values(here.dag, here.tables, here.values.Q)


def test_all_edges_do_not_remove_bad_nash_equilibria():
    """Threats off the path: the leader plays 2, the follower answers 0 with 1 and 1 with 0: value 5 of 11."""
    game = find_game("climbing")
    leader, follower = np.zeros((1, 3)), np.zeros((1, 3, 3))
    leader[0, 2] = 1.0
    follower[0, [0, 1, 2], [1, 0, 2]] = 1.0
    tables = [leader, follower]
    assert evaluate(game, joint_policy(tables, complete(2))).value == 5.0
    assert nash_gap(game, complete(2), tables).gap == 0.0
    assert float(game.initial @ optimal_value(game).V) - 5.0 == 6.0


def test_beta_is_loose_by_two_at_most_without_a_future():
    """gamma = 0: one agent of two actions bends by sqrt(3)/9 R, two who must differ by R/4; beta says R/2."""
    p = np.linspace(0.0, 1.0, 10_001)
    # Along (1, -1)/sqrt(2) the mean p of the rewards 1 and 0 has the second derivative 2 p (1-p) (1-2p).
    assert np.abs(2 * p * (1 - p) * (1 - 2 * p)).max() == pytest.approx(math.sqrt(3) / 9, rel=1e-6)
    game = dense_game("differ", np.ones((1, 2, 2, 1)), np.array([[[0.0, 1.0], [1.0, 0.0]]]), np.ones(1), 0.0)
    undecided = [np.zeros((1, 2)), np.zeros((1, 2))]
    direction = [np.array([[1.0, -1.0]]), np.array([[1.0, -1.0]])]
    assert curvature(game, empty(2), undecided, direction, 0.0) == pytest.approx(0.25, rel=1e-6)
    assert smoothness(sizes(game, empty(2)), 0.0) == 0.5
