"""C_pi is never below its true value, in rationals, and close to it, however rarely states are visited."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from bnpg_math.exact.coverage import Coverage, coverage
from bnpg_math.exact.optimum import solve_in_doubles
from bnpg_math.exact.visitation import entrywise
from bnpg_math.games.game import Game, dense_game
from bnpg_math.games.registry import game as find_game


def extreme(seed: int) -> tuple[Game, np.ndarray]:
    """A small game with transitions and a policy down to e^-100, and gamma up to 1 - 2^-30."""
    rng = np.random.default_rng(seed)
    states, actions = (int(n) for n in rng.integers(2, 4, size=2))
    P = np.exp(-rng.choice([1, 20, 100]) * rng.random((states, actions, states)))
    P[rng.random(P.shape) < 0.3] = 0.0
    P[..., rng.integers(states)] += 1e-3
    P /= P.sum(axis=-1, keepdims=True)
    mu = np.zeros(states)
    mu[0] = 1.0
    gamma = float(rng.choice([0.5, 0.9, 1 - 2.0**-10, 1 - 2.0**-20, 1 - 2.0**-30]))
    theta = rng.choice([1, 10, 100]) * rng.random((states, actions))
    pi = np.exp(theta - theta.max(axis=-1, keepdims=True))
    built = dense_game("extreme", P, rng.normal(size=(states, actions)), mu, gamma)
    return built, pi / pi.sum(axis=-1, keepdims=True)


def rows(table: np.ndarray) -> list[list[Fraction]]:
    exact = [[Fraction(float(x)) for x in row] for row in table]
    return [[x / sum(row) for x in row] for row in exact]


def visits(P: list[list[Fraction]], mu: list[Fraction], gamma: Fraction) -> list[Fraction]:
    """Solve (I - gamma P)^T d = mu by elimination."""
    n = len(mu)
    system = [[Fraction(i == j) - gamma * P[j][i] for j in range(n)] + [mu[i]] for i in range(n)]
    for c in range(n):
        for r in range(n):
            if r != c:
                share = system[r][c] / system[c][c]
                system[r] = [x - share * y for x, y in zip(system[r], system[c], strict=True)]
    return [system[i][n] / system[i][i] for i in range(n)]


def truth(game: Game, pi: np.ndarray) -> Fraction:
    """The largest mean ratio over all deterministic policies."""
    states, gamma = range(game.states), Fraction(game.gamma)
    P = [rows(table) for table in game.transition.to_dense()]
    mu, policy = rows(game.initial[None])[0], rows(pi)
    mixed = [
        [sum(p * P[s][a][t] for a, p in enumerate(policy[s])) for t in states] for s in states
    ]  # fmt: skip
    d = visits(mixed, mu, gamma)
    ratios = []
    for choice in itertools.product(range(pi.shape[1]), repeat=game.states):
        moved = visits([P[s][choice[s]] for s in states], mu, gamma)
        ratios.append(sum((x / y for x, y in zip(moved, d, strict=True) if y > 0), Fraction(0)) / game.states)
    return max(ratios)


@pytest.mark.parametrize("seed", range(60))
def test_c_pi_is_an_upper_bound_and_close(seed: int) -> None:
    game, pi = extreme(seed)
    found, true = coverage(game, pi, solve_in_doubles(game)).largest, truth(game, pi)
    assert Fraction(found) >= true
    # States that nobody visits count 0, and C_pi is never given below 1.
    assert found <= max(1.0, float(true)) * (1 + 1e-3)


def test_nothing_is_known_where_doubles_cannot_tell() -> None:
    game = find_game("coordination(agents=2)")
    assert entrywise(game, 1e-14) == pytest.approx(1.0, abs=1e-10)
    assert entrywise(game, 1.0) == math.inf
    # A probability that underflowed: state 1 is reached, and its visitation is 0 in doubles.
    transition = np.zeros((2, 2, 2))
    transition[0, 0, 0] = transition[0, 1, 1] = transition[1, :, 1] = 1.0
    door = dense_game("door", transition, np.zeros((2, 2)), np.array([1.0, 0.0]), 0.5)
    best = solve_in_doubles(door)
    with np.errstate(all="raise"):
        assert coverage(door, np.array([[1.0, 0.0], [0.5, 0.5]]), best).largest == math.inf


def test_one_state_and_no_future_leave_nothing_to_cover() -> None:
    game = find_game("climbing")
    found = coverage(game, np.full((1, 3, 3), 1 / 9), solve_in_doubles(game))
    assert found[:2] == Coverage(1.0, 1.0, 0.0)[:2]
