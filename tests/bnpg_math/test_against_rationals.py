"""Everything that is measured, against the truth in rationals, in games made to be hard."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.dag import Dag
from bnpg_math.exact import gauge, values
from bnpg_math.exact.gauge import Gauge
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.games.game import dense_game
from bnpg_math.games.sparse_game import sparse_game

ACCURACY = Fraction(1, 10**6)


def distribution(row):
    """The doubles of a row divided by their sum."""
    exact = [Fraction(float(entry)) for entry in row]
    return [entry / sum(exact) for entry in exact]


def solve(matrix, right):
    """Gauss and Jordan, in rationals."""
    size = len(right)
    rows = [[*row, entry] for row, entry in zip(matrix, right, strict=True)]
    for k in range(size):
        pivot = next(i for i in range(k, size) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for i in range(size):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


class Twin:
    """A game in rationals: slow and obvious."""

    def __init__(self, game):
        self.states, self.actions = game.states, list(np.ndindex(*game.actions))
        self.gamma = Fraction(game.gamma)
        self.mu = distribution(game.initial)
        tensor = game.transition.to_dense()
        self.P = {(s, a): distribution(tensor[(s, *a)]) for s in range(self.states) for a in self.actions}
        self.r = {
            (s, a): Fraction(float(game.reward[(s, *a)])) for s in range(self.states) for a in self.actions
        }

    def values(self, pi, r=None):
        """V of a joint policy, a dict a state."""
        r = self.r if r is None else r
        matrix = [
            [
                Fraction(s == t) - self.gamma * sum(w * self.P[s, a][t] for a, w in pi[s].items())
                for t in range(self.states)
            ]
            for s in range(self.states)
        ]
        return solve(matrix, [sum(w * r[s, a] for a, w in pi[s].items()) for s in range(self.states)])

    def q(self, V, s, a, r=None):
        r = self.r if r is None else r
        return r[s, a] + self.gamma * sum(p * v for p, v in zip(self.P[s, a], V, strict=True) if p)

    def start(self, V):
        return sum(m * v for m, v in zip(self.mu, V, strict=True))

    def best(self, sign=1, r=None):
        """Optimal (or worst) values over all joint policies."""
        choice = [self.actions[0]] * self.states
        while True:
            V = self.values([{a: Fraction(1)} for a in choice], r)
            better = list(choice)
            for s in range(self.states):
                for a in self.actions:
                    if sign * self.q(V, s, a, r) > sign * self.q(V, s, better[s], r):
                        better[s] = a
            if better == choice:
                return V
            choice = better

    def joint(self, tables, dag):
        return [
            {
                a: math.prod(
                    (tables[i][(s, *(a[p] for p in dag.parents[i]))][a[i]] for i in range(len(tables))),
                    start=Fraction(1),
                )
                for a in self.actions
            }
            for s in range(self.states)
        ]

    def response(self, tables, dag, agent):
        """Values of an agent's best response, by policy iteration over its rows."""
        mine = {place: list(row) for place, row in tables[agent].items()}
        count = len(next(iter(mine.values())))
        while True:
            V = self.values(self.joint([*tables[:agent], mine, *tables[agent + 1 :]], dag))
            changed = False
            for place, row in mine.items():
                # pi(aP|s) E[Q | s, aP, ai], as it is marginalised.
                worth = [Fraction(0)] * count
                for a in self.actions:
                    if (place[0], *(a[p] for p in dag.parents[agent])) == place:
                        weight = math.prod(
                            (
                                tables[j][(place[0], *(a[p] for p in dag.parents[j]))][a[j]]
                                for j in range(len(tables))
                                if j != agent
                            ),
                            start=Fraction(1),
                        )
                        if weight:
                            worth[a[agent]] += weight * self.q(V, place[0], a)
                if max(worth) > sum(p * w for p, w in zip(row, worth, strict=True)):
                    mine[place] = [Fraction(k == worth.index(max(worth))) for k in range(count)]
                    changed = True
            if not changed:
                return V

    def mismatch(self):
        """M; None if some policy never visits some state."""
        ratios = []
        for state in range(self.states):
            pays = {(s, a): Fraction(s == state) for s, a in self.r}
            most, least = (self.start(self.best(sign, pays)) for sign in (1, -1))
            if not least:
                return None
            ratios.append(most / least)
        return max(ratios)


def exact_tables(tables):
    return [
        {place: distribution(table[place]) for place in np.ndindex(*table.shape[:-1])} for table in tables
    ]


KERNELS = ("dyadic", "one-hot", "absorbing", "rare", "anything", "out of reach")
TABLES = ("uniform", "dyadic", "one-hot", "saturated", "tiny", "anything")


def rows(rng, kind, shape, own=None):
    """Rows of probabilities of one kind."""
    count = shape[-1]
    if kind == "anything":
        return rng.dirichlet(np.ones(count), size=shape[:-1])
    if kind == "uniform":
        return np.full(shape, 1.0 / count)
    if kind == "one-hot":
        return np.eye(count)[rng.integers(count, size=shape[:-1])]
    parts = rng.multinomial(16, np.full(count, 1 / count), size=shape[:-1]) / 16
    if kind == "saturated":
        from bnpg_math.policies.softmax import policy

        return policy(rng.choice([0.0, 40.0, 800.0], size=shape))
    if kind == "tiny":
        return np.where(parts == 0.0, 10.0 ** -rng.integers(5, 200, size=shape).astype(float), parts)
    if kind == "rare" and count > 2:
        # 1 - 2^-53, the rest but 2^-60, and 2^-60: the sum is exactly 1.
        result = np.zeros(shape)
        for place in np.ndindex(*shape[:-1]):
            a, b, c = rng.permutation(count)[:3]
            result[place][[a, b, c]] = 1 - 2.0**-53, 2.0**-53 - 2.0**-60, 2.0**-60
        return result
    if kind == "absorbing":
        parts = np.where(rng.random(shape[:-1])[..., None] < 0.5, np.eye(count)[0], parts)
    return parts


@st.composite
def problems(draw, most_states=4, agents=(1, 3)):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    states, number = draw(st.integers(1, most_states)), draw(st.integers(*agents))
    actions = tuple(draw(st.integers(1, 3 if number < 3 else 2)) for _ in range(number))
    kernel = draw(st.sampled_from(KERNELS))
    P = rows(rng, kernel, (states, *actions, states))
    mu = rows(rng, "dyadic", (states,))
    k = draw(st.integers(0, 20))
    reward = rng.integers(-8, 9, size=(states, *actions)) / 8
    reward = reward * 2.0 ** draw(st.integers(-60, 60))
    if draw(st.booleans()):
        reward = reward + draw(st.sampled_from([1e9, -1e12, 1.0, 2.0**70, -(2.0**-70)]))
    if kernel == "out of reach" and states > 1:
        P[..., -1], P[-1], P[-1, ..., -1], mu[-1] = 0.0, 0.0, 1.0, 0.0
        P[:-1, ..., 0] += 1 - P[:-1].sum(axis=-1)
        mu[0] += 1 - mu.sum()
        reward[-1] = draw(st.sampled_from([-1e12, 1e15, 1e120]))
    game = dense_game("hard", P, reward, mu, 1 - 2.0**-k)
    edges = tuple((i, j) for j in range(number) for i in range(j) if draw(st.booleans()))
    dag = Dag(number, edges)
    kind = draw(st.sampled_from(TABLES))
    tables = [
        rows(rng, kind, (states, *(actions[p] for p in dag.parents[i]), actions[i])) for i in range(number)
    ]
    return game, dag, tables


def near(found, truth):
    return math.isfinite(found) and abs(Fraction(found) - truth) <= ACCURACY * abs(truth)


def gap_is(found, upper, truth, largest):
    """The number is near, or 0 where the truth is next to the smallest doubles; and the bound is one."""
    assert near(found, truth) or (found <= 2.0**-1000 and truth <= Fraction(1, 2**1000))
    assert Fraction(upper) >= truth
    assert Fraction(upper) <= truth * (1 + ACCURACY) + largest * Fraction(1, 2**60)


@given(problem=problems())
@settings(max_examples=800, deadline=None)
def test_values_and_gaps_are_the_true_ones(problem):
    game, dag, tables = problem
    twin, exact = Twin(game), exact_tables(tables)
    V, best = twin.values(twin.joint(exact, dag)), twin.best()
    value, optimum = twin.start(V), twin.start(best)
    gains = [twin.start(twin.response(exact, dag, i)) - value for i in range(dag.agents)]
    largest = max(abs(entry) for entry in twin.r.values()) / (1 - twin.gamma)
    found = Gauge(game).gaps(dag, tables)
    assert near(found.value, value)
    assert near(found.optimal_value, optimum)
    gap_is(found.optimality_gap, found.optimality_gap_upper, optimum - value, largest)
    gap_is(found.nash.gap, found.nash.upper, max(gains), largest)
    for gain, upper, truth in zip(found.nash.per_agent, found.nash.upper_per_agent, gains, strict=True):
        gap_is(gain, upper, truth, largest)
    assert 0.0 <= found.nash.gap <= found.optimality_gap
    if dag.agents == 1:
        assert (found.nash.gap, found.nash.upper) == (found.optimality_gap, found.optimality_gap_upper)
    # What a run asks for, the largest gain alone, is the same.
    alone = Gauge(game).gaps(dag, tables, each_agent=False)
    gap_is(alone.nash.gap, alone.nash.upper, max(gains), largest)
    for state, number in enumerate(optimal_value(game).V):
        assert near(number, best[state]) or twin.mu[state] == 0 or abs(best[state]) < abs(optimum)


@given(problem=problems(most_states=3), integers=st.booleans(), seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_no_bound_is_below_the_truth_where_rewards_are_next_to_the_smallest_doubles(problem, integers, seed):
    game, dag, tables = problem
    rng = np.random.default_rng(seed)
    reward = rng.integers(0, 6, size=game.reward.shape) * 5e-324 * 2.0 ** rng.integers(0, 40)
    game = replace(game, reward=reward)
    twin, exact = Twin(game), exact_tables(tables)
    value = twin.start(twin.values(twin.joint(exact, dag)))
    gap = twin.start(twin.best()) - value
    gains = [twin.start(twin.response(exact, dag, i)) - value for i in range(dag.agents)]
    with pytest.MonkeyPatch.context() as patch:
        if not integers:
            patch.setattr("bnpg_math.exact.gauge.is_affordable", lambda _: False)
        found = Gauge(game).gaps(dag, tables)
    assert Fraction(found.optimality_gap_upper) >= gap
    for upper, truth in zip(found.nash.upper_per_agent, gains, strict=True):
        assert Fraction(upper) >= truth
    assert found.optimality_gap_upper < 1e-290 / (1.0 - game.gamma) ** 2, "next to nothing"


@given(problem=problems())
@settings(max_examples=300, deadline=None)
def test_no_gap_of_a_sparse_game_exceeds_its_upper_bound(problem):
    """Neither in integers, nor where iterating in doubles is all there is, as with a thousand states."""
    game, dag, tables = problem
    P = game.transition.to_dense()
    to = np.broadcast_to(np.arange(game.states), P.shape)
    sparse = sparse_game("sparse", to, P, game.reward, game.initial, game.gamma)
    twin, exact = Twin(game), exact_tables(tables)
    value = twin.start(twin.values(twin.joint(exact, dag)))
    gap = twin.start(twin.best()) - value
    gains = [twin.start(twin.response(exact, dag, i)) - value for i in range(dag.agents)]
    largest = max(abs(entry) for entry in twin.r.values()) / (1 - twin.gamma)
    found = Gauge(sparse).gaps(dag, tables)
    gap_is(found.optimality_gap, found.optimality_gap_upper, gap, largest)
    gap_is(found.nash.gap, found.nash.upper, max(gains), largest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "ITERATIVE_FROM", 1)
        patch.setattr(gauge, "is_affordable", lambda _: False)
        with np.errstate(all="ignore"):
            wide = Gauge(sparse).gaps(dag, tables)
    assert wide.optimality_gap_upper == math.inf or Fraction(wide.optimality_gap_upper) >= gap
    for upper, truth in zip(wide.nash.upper_per_agent, gains, strict=True):
        assert upper == math.inf or Fraction(upper) >= truth


@given(problem=problems(most_states=3, agents=(1, 2)))
@settings(max_examples=500, deadline=None)
def test_the_mismatch_coefficient_is_never_too_small(problem):
    game, _, _ = problem
    truth = Twin(game).mismatch()
    found = mismatch(game)
    if truth is None:
        assert math.inf == found.M
        return
    assert Fraction(found.M) >= truth
    assert Fraction(found.M) <= truth * (1 + ACCURACY)
    assert (found.lowest <= found.highest).all()
