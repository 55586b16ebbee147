"""Certificates from samples: the empirical Bernstein bound on Lemma 2', without the model."""

from fractions import Fraction

import numpy as np
import pytest
from bnpg_coordinator.worlds.table import TableWorld
from hypothesis import given
from hypothesis import strategies as st

import bnpg
from bnpg.evaluation import from_samples
from bnpg.evaluation.from_samples import certify_from_samples
from bnpg_math.dag import Dag, complete, empty
from bnpg_math.errors import InputError
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.sampled_certificate import (
    Moments,
    episode_gradients,
    longest_episode,
    second_moment,
    truncation_bias,
)

LAMBDA = 0.5
MU = np.array([0.5, 0.5])


@pytest.fixture
def team():
    """A game of two agents and two states, and its rewards' range."""
    generator = np.random.default_rng(0)
    transition = generator.dirichlet(np.ones(2), size=(2, 2, 2))
    reward = generator.random((2, 2, 2))
    return bnpg.dense_game("team", transition, reward, MU, 0.5)


def certify(game, dag, thetas, **options):
    given = {"regularization": LAMBDA, "rewards": (0.0, 1.0), "initial": MU, "episodes": 1 << 17}
    return certify_from_samples(TableWorld(game), dag, thetas, **(given | options))


def stationary(game, dag):
    """Return logits near a stationary point of L_lambda."""
    run = bnpg.train(
        game, dag=dag, mode="exact", rounds=300, learning_rate="certified", regularization=LAMBDA,
        launcher="memory", evaluate_every=0,
    )  # fmt: skip
    return run.policy.thetas


@pytest.mark.parametrize("dag", [empty(2), complete(2)], ids=["empty", "complete"])
def test_a_stationary_policy_is_certified_and_the_promise_is_true(team, dag):
    thetas = stationary(team, dag)
    sought = certify(team, dag, thetas)
    assert sought.outcome.certified
    truth = nash_gap(team, dag, [policy(theta) for theta in thetas]).gap
    assert truth <= sought.outcome.epsilon <= LAMBDA / (2 * 0.5 * 0.5) * 1.01
    assert sought.outcome.episodes < 1 << 17, "it ends with the first look that certifies"


def test_it_needs_no_initial_distribution(team):
    thetas = stationary(team, empty(2))
    with_it, without = (certify(team, empty(2), thetas, initial=mu).outcome for mu in (MU, None))
    assert without.certified
    assert without.epsilon >= with_it.epsilon


def test_a_policy_that_is_not_stationary_is_not_certified(team):
    thetas = [4.0 * theta for theta in np.random.default_rng(1).normal(size=(2, 2, 2))]
    assert not certify(team, empty(2), thetas, episodes=1 << 15).outcome.certified


def test_a_state_that_is_never_met_is_not_certified(team):
    lonely = bnpg.dense_game(
        "lonely", np.ones((2, 2, 2, 1)) * [1.0, 0.0], team.reward, np.array([1.0, 0.0]), 0.5
    )
    sought = certify(lonely, empty(2), [np.zeros((2, 2))] * 2, initial=None, episodes=1 << 14)
    assert not sought.outcome.certified
    assert sought.outcome.constant == np.inf


def test_the_confidence_is_kept(team, monkeypatch):
    """Of 100 bounds with delta = .2 at most 20 may be too low anywhere; loose as they are, hardly any is."""
    monkeypatch.setattr(from_samples, "AT_ONCE", 1 << 9)
    dag = complete(2)
    thetas = [np.random.default_rng(2).normal(size=shape) for shape in ((2, 2), (2, 2, 2))]
    world, missed = TableWorld(team), 0
    expected = exact_gradient(team, dag, thetas)
    agents = [
        from_samples._Agent(dag, agent, theta, LAMBDA, team.actions) for agent, theta in enumerate(thetas)
    ]
    longest = longest_episode(0.5, 1.0, 0.001)
    largest = longest * (longest + 1) / 4.0
    zs = []
    for seed in range(100):
        samples, _, played = next(
            from_samples._batches(world, agents, dag.order, longest, (0.0, 1.0), from_samples._fresh(seed))
        )
        moments = Moments(samples.shape[1], largest)
        moments.add(samples, played)
        width = moments.width(0.2 / samples.shape[1])
        missed += bool((moments.mean + width + 0.001 < expected).any())
        zs.append((moments.mean - expected) * np.sqrt(played))
    assert missed <= 20
    spread = np.std(zs, axis=0)
    assert (abs(np.mean(zs, axis=0)) < 4.5 * spread / 10.0 + 0.001 * np.sqrt(512)).all(), "unbiased"


def exact_gradient(game, dag, thetas):
    """Return dV/dtheta of all agents by central differences of the exact value."""
    from bnpg_math.arrays.joint import joint_policy
    from bnpg_math.exact.values import evaluate

    def value(shifted):
        return evaluate(game, joint_policy([policy(theta) for theta in shifted], dag)).value

    gradient = []
    for agent, theta in enumerate(thetas):
        for entry in np.ndindex(theta.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = [one.copy() for one in thetas]
                moved[agent][entry] += sign * 1e-5
                ends.append(value(moved))
            gradient.append((ends[0] - ends[1]) / 2e-5)
    return np.array(gradient)


@given(st.sampled_from([0.0, 0.3, 0.5, 0.9]), st.integers(1, 30))
def test_the_bias_of_leaving_long_episodes_out_is_what_their_tail_weighs(gamma, longest):
    """E[(R/2) L(L+1)/2; L > m], summed in rationals until the rest is below a millionth."""
    share, tail, length = Fraction(gamma), Fraction(0), longest + 1
    weight = (1 - share) * share ** (length - 1)
    for _ in range(400):
        tail += weight * length * (length + 1) / 4
        weight *= share
        length += 1
    assert truncation_bias(gamma, 1.0, longest) == pytest.approx(float(tail), rel=1e-6)
    assert truncation_bias(gamma, 1.0, longest) >= float(tail)


@given(st.sampled_from([0.0, 0.5, 0.9, 0.99]), st.floats(1e-9, 10.0))
def test_the_longest_episode_is_the_shortest_that_will_do(gamma, bias):
    longest = longest_episode(gamma, 1.0, bias)
    assert truncation_bias(gamma, 1.0, longest) <= bias
    assert longest == 1 or truncation_bias(gamma, 1.0, longest - 1) > bias


def test_the_second_moment_is_bounded_as_said(team):
    dag = complete(2)
    thetas = [np.zeros((2, 2)), np.zeros((2, 2, 2))]
    agents = [from_samples._Agent(dag, agent, theta, LAMBDA, (2, 2)) for agent, theta in enumerate(thetas)]
    batches = from_samples._batches(TableWorld(team), agents, dag.order, 200, (0.0, 1.0), 1)
    samples = np.concatenate([next(batches)[0] for _ in range(5)])
    assert np.square(samples).sum(axis=1).mean() < second_moment(0.5, 1.0, (2, 2))


def test_a_sample_is_scores_times_returns():
    table = np.array([[0.25, 0.75], [0.5, 0.5]])
    samples = episode_gradients(
        [np.array([0, 1]), np.array([1])],
        [np.array([1, 0]), np.array([1])],
        [np.array([2.0, 3.0]), np.array([10.0])],
        table,
    )
    assert samples.tolist() == [[-0.5, 0.5, -5.0, 5.0], [0.0, 0.0, 1.5, -1.5]]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"regularization": 0.0}, "a regularization above 0"),
        ({"delta": 1.0}, r"must be in \(0, 1\), got 1.0"),
        ({"rewards": (1.0, 0.0)}, r"\(low, high\)"),
        ({"rewards": (0.0, 0.1)}, "outside the range given, 0.0 to 0.1"),
    ],
)
def test_what_cannot_be_certified_is_refused(team, options, why):
    with pytest.raises(InputError, match=why):
        certify(team, Dag(2), [np.zeros((2, 2))] * 2, **options)
