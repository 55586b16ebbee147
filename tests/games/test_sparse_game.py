"""A game of successors is the game of its tensor, and nothing on its way is as large as that."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bnpg
from bnpg_math.errors import GameError
from bnpg_math.exact import gauge, values
from bnpg_math.exact.gauge import Gauge
from bnpg_math.games.file import load_game, save_game
from bnpg_math.games.game import dense_game
from bnpg_math.games.sparse_game import sparse_game
from bnpg_math.games.transitions.sparse import SparseTransition

SMALL = {
    "successors": np.array([[[1, 0], [0, 0]], [[0, 1], [1, 0]]]),
    "probabilities": np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [1.0, 0.0]]]),
    "reward": np.arange(4.0).reshape(2, 2),
    "initial": np.array([0.25, 0.75]),
    "gamma": 0.9,
}


def small(**changes):
    return sparse_game("small", **{**SMALL, **changes})


@st.composite
def kernels(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    states, agents = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    actions, width = tuple(rng.integers(1, 4, size=agents)), draw(st.integers(1, 4))
    shape = (states, *actions, width)
    weights = rng.multinomial(8, np.full(width, 1 / width), size=shape[:-1]) / 8
    return rng.integers(states, size=shape), weights, rng.normal(size=shape[:-1])


@given(kernel=kernels())
@settings(max_examples=60, deadline=None)
def test_it_is_the_game_of_its_tensor_repeated_successors_added(kernel):
    to, weights, reward = kernel
    states = len(to)
    game = sparse_game("g", to, weights, reward, np.full(states, 1 / states), 0.5)
    tensor = np.zeros((*reward.shape, states))
    for place in np.ndindex(*weights.shape):
        tensor[place[:-1]][to[place]] += weights[place]
    assert isinstance(game.transition, SparseTransition)
    np.testing.assert_array_equal(game.transition.to_dense(), tensor)
    dense = dense_game("g", tensor, reward, np.full(states, 1 / states), 0.5)
    for own, other in zip((game.reward, game.initial), (dense.reward, dense.initial), strict=True):
        np.testing.assert_array_equal(own, other)


@given(kernel=kernels())
@settings(max_examples=30, deadline=None)
def test_a_file_gives_the_same_game_to_the_bit(tmp_path_factory, kernel):
    to, weights, reward = kernel
    game = sparse_game("g", to, weights, reward, np.full(len(to), 1 / len(to)), 0.5)
    path = tmp_path_factory.mktemp("games") / "g.npz"
    save_game(game, path)
    with np.load(path) as arrays:
        assert set(arrays) == {"successors", "probabilities", "reward", "initial", "gamma"}
        assert arrays["successors"].shape[:-1] == reward.shape
    assert load_game(path).digest == game.digest


def test_what_is_unused_may_say_anything():
    assert small(successors=np.where(SMALL["probabilities"] > 0, SMALL["successors"], -7)).digest == (
        small().digest
    )


def test_rewards_of_the_next_state_are_averaged():
    reward = np.arange(8.0).reshape(2, 2, 2)
    game = small(reward=reward)
    np.testing.assert_array_equal(game.reward, (SMALL["probabilities"] * reward).sum(-1))
    assert "averaged" in game.notices[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_probabilities_of_few_digits_are_divided_by_their_sums(dtype):
    weights = np.random.default_rng(3).dirichlet(np.ones(2), size=(2, 2)).astype(dtype)
    game = small(successors=[[[0, 1]] * 2] * 2, probabilities=weights)
    assert abs(game.transition.to_dense().sum(-1) - 1).max() < 1e-15
    assert "divided" in "".join(game.notices)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"successors": [[[2, 0], [0, 0]], [[0, 1], [1, 0]]]},
            r"successors\[0, 0, 0\] must be in 0..1, got 2",
        ),
        ({"successors": [[[-1, 0], [0, 0]], [[0, 1], [1, 0]]]}, r"must be in 0..1, got -1"),
        (
            {"successors": np.full((2, 2, 2), 0.5)},
            r"successors\[0, 0, 0\] must be the number of a state, got 0",
        ),
        ({"successors": np.full((2, 2, 2), np.nan)}, "must be the number of a state, got nan"),
        ({"successors": [["a"]]}, "successors must hold"),
        ({"successors": [[0], [0, 1]]}, "successors must be an array of integers"),
        ({"successors": np.zeros((2, 2, 1), int)}, r"got \(2, 2, 1\) and \(2, 2, 2\)"),
        ({"probabilities": np.full((2, 2, 2), 0.4)}, r"probabilities\[0, 0\] must sum to 1, got 0.8"),
        ({"probabilities": np.full((2, 2, 2), -1.0)}, "must not be negative"),
        ({"probabilities": np.zeros((2, 2, 2))}, r"probabilities\[0, 0\] must sum to 1, got 0"),
        ({"reward": np.zeros((2, 3))}, r"reward must have shape \(2, 2\), got \(2, 3\)"),
    ],
)
def test_what_is_no_game_is_one_line(changes, message):
    with pytest.raises(GameError, match=message) as error:
        small(**changes)
    assert "\n" not in str(error.value)


def test_a_file_with_two_kernels_or_half_a_one_is_refused(tmp_path):
    np.savez(tmp_path / "two.npz", **SMALL, transition=np.ones((2, 2, 2)) / 2)
    with pytest.raises(GameError, match=r"two.npz holds transition and successors; expected one form"):
        load_game(tmp_path / "two.npz")
    np.savez(tmp_path / "half.npz", **{k: v for k, v in SMALL.items() if k != "probabilities"})
    with pytest.raises(GameError, match=r"half.npz lacks probabilities; expected successors, probabilities"):
        load_game(tmp_path / "half.npz")


def exact_truth(game, pi):
    """V(mu) of a policy in rationals, by Gauss and Jordan."""
    states, gamma = game.states, Fraction(game.gamma)
    P = game.transition.to_dense().reshape(states, -1, states)
    r, pi = game.reward.reshape(states, -1), pi.reshape(states, -1)
    rows = []
    for s in range(states):
        weights = [Fraction(float(w)) for w in pi[s]]
        total = sum(weights)
        chain = [
            sum(w / total * Fraction(float(P[s, a, t])) for a, w in enumerate(weights)) for t in range(states)
        ]
        paid = sum(w / total * Fraction(float(r[s, a])) for a, w in enumerate(weights))
        rows.append([Fraction(s == t) - gamma * chain[t] for t in range(states)] + [paid])
    for k in range(states):
        pivot = rows[k][k]
        rows[k] = [entry / pivot for entry in rows[k]]
        for i in range(states):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return sum(Fraction(float(m)) * row[-1] for m, row in zip(game.initial, rows, strict=True))


@given(
    kernel=kernels(), gamma=st.sampled_from([0.0, 0.5, 0.99, 1 - 2.0**-20]), shift=st.sampled_from([0, 1e9])
)
@settings(max_examples=60, deadline=None)
def test_upper_bounds_hold_where_only_sparse_solvers_in_doubles_are_at_hand(kernel, gamma, shift):
    """As for a thousand states: iterations, and no integers."""
    to, weights, reward = kernel
    mu = np.eye(len(to))[0]
    game = sparse_game("g", to, weights, reward + shift, mu, gamma)
    dag = bnpg.Dag(game.agents)
    tables = [np.full((game.states, count), 1 / count) for count in game.actions]
    pi = np.full((game.states, *game.actions), 1 / game.joint_actions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "ITERATIVE_FROM", 1)
        patch.setattr(gauge, "is_affordable", lambda _game: False)
        found = Gauge(game).gaps(dag, tables)
    exact = Gauge(game).gaps(dag, tables)
    truth = exact_truth(game, pi)
    scale = Fraction(float(np.abs(game.reward).max())) / (1 - Fraction(gamma))
    assert abs(Fraction(found.value) - truth) <= scale * Fraction(1, 10**7)
    for upper, near in (
        (found.optimality_gap_upper, exact.optimality_gap),
        (found.nash.upper, exact.nash.gap),
    ):
        assert upper >= near * (1 - 1e-6)


def test_neither_making_nor_judging_makes_anything_as_large_as_the_tensor():
    states, actions = 600, (4, 4)
    rng = np.random.default_rng(0)
    shape = (states, *actions, 2)
    share = rng.random(shape[:-1])
    tracemalloc.start()
    try:
        game = sparse_game(
            "wide",
            rng.integers(states, size=shape),
            np.stack([share, 1 - share], axis=-1),
            rng.random(shape[:-1]),
            np.full(states, 1 / states),
            0.9,
        )
        tables = [np.full((states, 4), 0.25)] * 2
        found = Gauge(game).gaps(bnpg.Dag(2), tables)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.nash.upper >= found.nash.gap > 0.0
    assert peak < 8 * states**2 * 16 / 2


def test_processes_and_memory_train_it_to_the_same_bits_and_it_can_be_certified(tmp_path):
    game = bnpg.sparse_game("small", **SMALL)
    runs = [
        bnpg.train(
            game, launcher=launcher, mode="exact", rounds=5, learning_rate=0.1, out=tmp_path / launcher
        )
        for launcher in ("memory", "local")
    ]
    assert runs[0].policy.digest == runs[1].policy.digest
    assert "exact arithmetic" in runs[1].summary["certificate"]
    with np.load(tmp_path / "local" / "game.npz") as arrays:
        assert "transition" not in arrays
    assert bnpg.evaluate(game, runs[0].policy).value == runs[0].summary["value"]
