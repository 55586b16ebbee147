"""Games of what a program has at hand: functions, tables, arrays of MDPs, payoffs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import bnpg
from bnpg_math.errors import GameError
from bnpg_math.exact.optimum import optimal_value

SLIP = 0.1


def walk(place, actions):
    """Two agents who must agree to move along 0..4; every step costs 1."""
    there = min(max(place + {(0, 0): -1, (1, 1): 1}.get(actions, 0), 0), 4)
    yield 1 - SLIP, there, -1.0
    yield SLIP, place, -1.0


def test_a_generator_of_outcomes_and_a_list_give_the_same_game():
    given_ = {"actions": (2, 2), "initial": 0, "terminal": {4}, "gamma": 0.9}
    game = bnpg.game_from(walk, **given_)
    assert bnpg.game_from(lambda s, a: list(walk(s, a)), **given_).digest == game.digest
    assert bnpg.game_from(walk, states=5, **given_).digest == game.digest
    P = game.transition.to_dense()
    assert P[0, 1, 1].tolist() == [SLIP, 1 - SLIP, 0, 0, 0]
    assert P[4].reshape(4, 5).tolist() == [[0, 0, 0, 0, 1]] * 4
    assert (game.reward[4] == 0).all()
    assert (game.reward[:4] == -1).all()
    # Each of four steps takes 1 / (1 - SLIP) tries on average.
    v = 0.0
    for _ in range(4):
        v = (-1 + 0.9 * (1 - SLIP) * v) / (1 - 0.9 * SLIP)
    assert optimal_value(game).V[0] == pytest.approx(v, rel=1e-12)


def test_a_step_function_may_say_what_follows_for_sure():
    game = bnpg.game_from(lambda s, a: ((s + sum(a)) % 3, float(s)), actions=(2, 3), initial=0, gamma=0.5)
    assert game.states == 3
    assert game.transition.to_dense()[0, 1, 1].tolist() == [0, 0, 1]
    assert game.reward[1].tolist() == [[1] * 3] * 2


def test_states_are_anything_and_found_from_the_start():
    def step(state, actions):
        row, column = state
        return ((row + actions[0]) % 2, (column + actions[1]) % 3), 0.0

    begins = {(0, 0): 0.5, (1, 2): 0.5}
    game = bnpg.game_from(step, actions=(2, 2), initial=begins, gamma=0.9)
    assert game.states == 6
    assert game.initial.tolist() == [0.5, 0.5, 0, 0, 0, 0]
    named = [(row, column) for row in range(2) for column in range(3)]
    ordered = bnpg.game_from(step, actions=(2, 2), initial=begins, gamma=0.9, states=named)
    assert ordered.initial.tolist() == [0.5, 0, 0, 0, 0, 0.5]


def test_an_episode_that_is_over_stays_where_it_is_and_pays_nothing():
    game = bnpg.game_from(lambda s, a: (1, 5.0, True), actions=(2,), initial=0, gamma=0.9)
    assert game.states == 2
    assert game.transition.to_dense()[1].tolist() == [[0, 1]] * 2
    assert game.reward.tolist() == [[5, 5], [0, 0]]


def test_a_state_where_some_episodes_end_and_others_pass_through_is_not_made_absorbing():
    """Going down from 1 is the end; coming back to 0, where play begins too, is none."""

    def step(s, a):
        return (1, 0.0) if s == 0 else [(0.5, 0, 1.0, True), (0.5, 0, 3.0, False)]

    with pytest.warns(bnpg.InputWarning, match="state 2 was added"):
        game = bnpg.game_from(step, actions=(1,), initial=0, gamma=0.9)
    assert game.states == 3
    assert game.transition.to_dense()[1, 0].tolist() == [0.5, 0, 0.5]
    assert game.transition.to_dense()[2, 0].tolist() == [0, 0, 1]
    assert game.reward.tolist() == [[0], [2], [0]]


def lake():
    """FrozenLake's layout: 0 1 / hole goal, slipping both ways from 0."""
    third = 1 / 3
    stay = [(1.0, 2, 0, True)]
    return {
        0: {
            0: [(third, 0, 0.0, False), (third, 0, 0.0, False), (third, 1, 0.0, False)],
            1: [(third, 2, 0.0, True), (third, 1, 0.0, False), (third, 0, 0.0, False)],
        },
        1: {0: [(1.0, 3, 1.0, True)], 1: [(0.5, 2, 0.0, True), (0.5, 3, 1.0, True)]},
        2: {0: stay, 1: stay},
        3: {0: [(1.0, 3, 0, True)], 1: [(1.0, 0, 7.0, False)]},
    }


class Toy:
    """Has what Gymnasium's toy-text environments have; wrappers lead to it by `unwrapped`."""

    P = lake()
    initial_state_distrib = np.array([1.0, 0, 0, 0])


class Wrapped:
    unwrapped = Toy()


def test_a_toy_text_environment_its_wrapper_and_its_table():
    game = bnpg.game_from(Toy(), gamma=0.9)
    assert (game.states, game.actions) == (4, (2,))
    assert game.transition.to_dense()[0, 0].tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    # Where every episode that gets there is over, what the table says of it does not count.
    assert game.transition.to_dense()[3].tolist() == [[0, 0, 0, 1]] * 2
    assert game.reward.tolist() == [[0, 0], [1, 0.5], [0, 0], [0, 0]]
    assert bnpg.game_from(Wrapped(), gamma=0.9).digest == game.digest
    assert bnpg.game_from(lake(), initial=0, gamma=0.9).digest == game.digest
    as_lists = [[lake()[s][a] for a in range(2)] for s in range(4)]
    assert bnpg.game_from(as_lists, initial=0, gamma=0.9).digest == game.digest


def test_actions_of_a_table_are_those_of_a_team():
    table = {0: {a: [(1.0, 0, float(a), False)] for a in range(6)}}
    game = bnpg.game_from(table, actions=(2, 3), initial=0, gamma=0.5)
    assert game.reward.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    with pytest.raises(GameError, match=r"actions \(2, 2\) must have a product of 6"):
        bnpg.game_from(table, actions=(2, 2), initial=0)


@pytest.mark.parametrize("rounded", [lambda p: p.astype(np.float32), lambda p: np.round(p, 4)])
def test_probabilities_of_few_digits_are_divided_by_their_sums_and_it_is_said(rounded):
    shares = rounded(np.random.default_rng(5).dirichlet(np.ones(7), size=7))
    assert abs(shares.astype(float).sum(-1) - 1).max() > 1e-9
    with pytest.warns(bnpg.InputWarning, match="divided by their sums"):
        game = bnpg.game_from(
            lambda s, a: [(p, t, 1.0) for t, p in enumerate(shares[s])], actions=(2,), initial=0, gamma=0.9
        )
    assert abs(game.transition.to_dense().sum(-1) - 1).max() < 1e-15
    np.testing.assert_allclose(game.reward, 1.0, rtol=1e-15)


def bad(outcome):
    return lambda s, a: outcome


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (bad([(0.5, 0, 1.0)]), r"probabilities\[0, 0\] must sum to 1, got 0.5"),
        (bad([(0.5, 0, 0.0)]), r"probabilities\[0, 0\] must sum to 1, got 0.5"),
        (bad([]), r"state 0, actions \(0,\): expected outcomes whose probabilities sum to 1, got none"),
        (bad([(1.0, 0)]), r"expected an outcome \(p, s', r\) or \(p, s', r, done\), got \(1.0, 0\)"),
        (bad((1,)), r"expected \(s', r\) or \(s', r, done\), got 1 entries"),
        (bad(None), "got NoneType"),
        (bad([(1.0, 0, "a lot")]), "reward must be a finite number, got 'a lot'"),
        (bad([(1.0, 0, float("nan"))]), "reward must be a finite number, got nan"),
        (bad([(-1.0, 0, 0.0), (2.0, 0, 0.0)]), "probability must not be negative, got -1"),
        (bad(([], 1.0)), "a state must be hashable, got list"),
        (lambda s, a: ((0.0, n, 1.0) for n in iter(int, 1)), "expected at most 65536 outcomes"),
        (lambda s, a: (s + 1, 0.0), "states times joint actions must be at most"),
    ],
)
def test_what_says_no_game_is_one_line_and_ends(step, message, monkeypatch):
    monkeypatch.setattr("bnpg_math.games.outcomes.MOST_PAIRS", 1000)
    with pytest.raises(GameError, match=message) as error:
        bnpg.game_from(step, actions=(1,), initial=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"actions": None}, "actions must be the number of actions of each agent"),
        ({"actions": (0,)}, "all at least 1"),
        ({"actions": (2,) * 80}, r"80 agents have 1.21e\+24 joint actions.* bnpg.FactoredWorld"),
        ({"initial": None}, "initial must say where play begins"),
        ({"initial": 9, "states": 5}, "initial state 9 is none of the states"),
        ({"initial": {0: -1.0}}, "must be a number >= 0"),
        ({"initial": {0: 0.4}}, "initial must sum to 1, got 0.4"),
        ({"initial": np.ones(3), "states": 5}, r"initial must have shape \(5,\), got \(3,\)"),
        ({"states": 3}, "next state 3 is none of the states"),
        ({"states": [0, 0]}, "states must differ"),
        ({"gamma": 1.0}, "gamma must be in"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(arguments, message):
    with pytest.raises(GameError, match=message):
        bnpg.game_from(walk, **{"actions": (2, 2), "initial": 0, **arguments})


def test_what_it_cannot_be_made_of_is_one_line():
    with pytest.raises(GameError, match="needs a step function, an environment with P"):
        bnpg.game_from("climbing")
    with pytest.raises(GameError, match=r"P must have the same actions in every state, got \[1, 2\]"):
        bnpg.game_from({0: {0: [(1, 0, 0, False)]}, 1: {0: [], 1: []}}, initial=0)
    with pytest.raises(GameError, match=r"P must have the keys 0..1, got none for 1"):
        bnpg.game_from({0: {}, "a": {}}, initial=0)
    with pytest.raises(GameError, match=r"P\[0\]\[0\]: next state must be in 0..0, got 3"):
        bnpg.game_from({0: {0: [(1.0, 3, 0.0, False)]}}, initial=0)


def forest():
    """MDPToolbox's example: wait or cut, three ages, fire with 0.1."""
    P = np.zeros((2, 3, 3))
    P[0] = [[0.1, 0.9, 0], [0.1, 0, 0.9], [0.1, 0, 0.9]]
    P[1, :, 0] = 1
    return P, np.array([[0.0, 0], [0, 1], [4, 2]])


def test_an_mdp_in_each_of_its_shapes():
    P, R = forest()
    game = bnpg.game_from({"P": P, "R": R}, gamma=0.9)
    assert (game.states, game.actions) == (3, (2,))
    assert (game.initial == 1 / 3).all()
    np.testing.assert_array_equal(game.reward, R)
    np.testing.assert_array_equal(game.transition.to_dense()[1], P[:, 1])
    # The value that MDPToolbox prints for its example.
    np.testing.assert_allclose(optimal_value(game).V, [26.244, 29.484, 33.484], atol=1e-3)
    of_states = bnpg.game_from({"P": P, "R": R[:, 0]}, gamma=0.9)
    np.testing.assert_array_equal(of_states.reward, np.stack([R[:, 0]] * 2, axis=1))
    of_next = np.repeat(R.T[:, :, None], 3, axis=2)
    with pytest.warns(bnpg.InputWarning, match="averaged over the next state"):
        averaged = bnpg.game_from({"P": P, "R": of_next}, gamma=0.9)
    np.testing.assert_allclose(averaged.reward, R, rtol=1e-15)
    sparse = bnpg.game_from({"P": [csr_array(one) for one in P], "R": R}, gamma=0.9)
    np.testing.assert_array_equal(sparse.transition.to_dense(), game.transition.to_dense())
    np.testing.assert_array_equal(sparse.reward, R)


@given(counts=st.lists(st.integers(1, 3), min_size=1, max_size=3), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_the_joint_action_of_an_mdp_is_taken_apart(counts, seed):
    rng, A = np.random.default_rng(seed), int(np.prod(counts))
    P, R = rng.dirichlet(np.ones(4), size=(A, 4)), rng.normal(size=(4, A))
    mu = rng.dirichlet(np.ones(4))
    game = bnpg.game_from({"P": P, "R": R}, actions=counts, initial=mu, gamma=0.5)
    for a, place in enumerate(np.ndindex(*counts)):
        np.testing.assert_allclose(game.transition.to_dense()[(slice(None), *place)], P[a], rtol=1e-14)
        np.testing.assert_array_equal(game.reward[(slice(None), *place)], R[:, a])


@pytest.mark.parametrize(
    ("P", "R", "message"),
    [
        (np.ones((2, 3, 2)), np.ones(3), r"P must have shape \(A, S, S\), got \(2, 3, 2\)"),
        (forest()[0], np.ones(7), r"R must have shape \(3,\), \(3, 2\) or \(2, 3, 3\), got \(7,\)"),
        (forest()[0], np.full(3, np.inf), r"R\[0\] must be finite"),
        (forest()[0] / 2, np.ones(3), r"transition\[0, 0\] must sum to 1, got 0.5"),
        ([csr_array(np.ones((2, 3)))], np.ones(3), "P must be square matrices"),
    ],
)
def test_arrays_of_no_mdp_are_one_line(P, R, message):
    with pytest.raises(GameError, match=message):
        bnpg.game_from({"P": P, "R": R})


class Nashpy:
    def __init__(self, *payoffs):
        self.payoff_matrices = payoffs


def test_payoffs_of_a_team_in_the_ways_that_others_keep_them():
    payoff = np.array([[11.0, -30, 0], [-30, 7, 6], [0, 0, 5]])
    climbing = bnpg.game("climbing")
    for source in (payoff, [payoff, payoff], Nashpy(payoff, payoff.copy())):
        assert bnpg.game_from(source).digest == climbing.digest
    with pytest.raises(GameError, match=r"payoff\[0, 0\] is 11 for player 0 and -11 for player 1"):
        bnpg.game_from(Nashpy(payoff, -payoff))
    with pytest.raises(GameError, match="must be of one shape"):
        bnpg.game_from(Nashpy(payoff, payoff[:2]))
    with pytest.raises(GameError, match="must have an axis each"):
        bnpg.game_from([payoff, payoff, payoff])


def test_a_game_of_a_function_trains_and_resumes_over_processes(tmp_path):
    game = bnpg.game_from(walk, actions=(2, 2), initial=0, terminal={4}, gamma=0.9, name="walk")
    run = bnpg.train(
        game, dag="0-1", mode="exact", rounds=3, learning_rate=0.5, launcher="local", out=tmp_path / "run"
    )
    assert bnpg.load_run(tmp_path / "run").game.digest == game.digest
    assert "exact arithmetic" in run.summary["certificate"]
