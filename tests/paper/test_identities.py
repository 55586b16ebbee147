"""The identities that the lemmas rest on, with == in rationals at random points (Schwartz and Zippel).

Both sides are rational functions of the game and the policy. If they differed, a random point would tell, but
for a chance of about the degree over the number of values drawn from.
"""

import math
import random
from fractions import Fraction
from itertools import product

import pytest

from bnpg_math.dag import Dag, complete

STATES, ACTIONS = 2, (2, 3, 2)
JOINT = list(product(*map(range, ACTIONS)))
DAGS = [Dag(3), complete(3), Dag(3, ((0, 1), (1, 2))), Dag(3, ((0, 2), (1, 2))), Dag(3, ((2, 0), (2, 1)))]


def solve(matrix, right):
    """Gauss and Jordan."""
    rows = [[*row, entry] for row, entry in zip(matrix, right, strict=True)]
    for k in range(len(rows)):
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for i in range(len(rows)):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


class Point:
    """A game and a policy of random rationals."""

    def __init__(self, dag, seed):
        self.dag, self.draw = dag, random.Random(seed)
        self.gamma = Fraction(self.draw.randrange(1, 10**6), 10**6)
        self.P = {(s, a): self.row(STATES) for s in range(STATES) for a in JOINT}
        self.r = {(s, a): Fraction(self.draw.randrange(-(10**6), 10**6), 997) for s, a in self.P}
        self.mu = self.row(STATES)
        self.tables = [self.table(agent) for agent in range(3)]
        self.V = self.values(self.tables)
        self.Q = {
            (s, a): self.r[s, a] + self.gamma * sum(p * v for p, v in zip(self.P[s, a], self.V, strict=True))
            for s, a in self.P
        }

    def row(self, size):
        weights = [self.draw.randrange(1, 10**6) for _ in range(size)]
        return [Fraction(weight, sum(weights)) for weight in weights]

    def table(self, agent):
        places = product(range(STATES), *(range(ACTIONS[p]) for p in self.dag.parents[agent]))
        return {place: self.row(ACTIONS[agent]) for place in places}

    def place(self, agent, s, a):
        return (s, *(a[p] for p in self.dag.parents[agent]))

    def pi(self, tables, s, a, members=range(3)):
        return math.prod((tables[i][self.place(i, s, a)][a[i]] for i in members), start=Fraction(1))

    def system(self, tables):
        """I - gamma P_pi."""
        chain = [
            [sum(self.pi(tables, s, a) * self.P[s, a][t] for a in JOINT) for t in range(STATES)]
            for s in range(STATES)
        ]
        return [[(s == t) - self.gamma * chain[s][t] for t in range(STATES)] for s in range(STATES)]

    def values(self, tables):
        r = [sum(self.pi(tables, s, a) * self.r[s, a] for a in JOINT) for s in range(STATES)]
        return solve(self.system(tables), r)

    def visitation(self, tables):
        matrix = self.system(tables)
        return solve([[matrix[t][s] for t in range(STATES)] for s in range(STATES)], self.mu)

    def value(self, tables):
        return sum(m * v for m, v in zip(self.mu, self.values(tables), strict=True))

    def given(self, s, fixed):
        """pi(fixed actions | s), and E[Q | s, fixed actions], of the present policy."""
        those = [a for a in JOINT if all(a[i] == k for i, k in fixed.items())]
        weight = sum(self.pi(self.tables, s, a) for a in those)
        return weight, sum(self.pi(self.tables, s, a) * self.Q[s, a] for a in those) / weight

    def advantage(self, agent, s, a):
        """A^i(s, aP, ai)."""
        parents = {p: a[p] for p in self.dag.parents[agent]}
        return self.given(s, parents | {agent: a[agent]})[1] - self.given(s, parents)[1]


@pytest.fixture(params=range(6))
def seed(request):
    return request.param


@pytest.mark.parametrize("dag", DAGS, ids=str)
def test_lemma_1_the_gradient_is_visitation_times_advantage(dag, seed):
    """Derivatives of a softmax are pi_b ([b = k] - pi_k): rational in pi, and so is the derivative of V."""
    point = Point(dag, seed)
    d = point.visitation(point.tables)
    for agent in range(3):
        s, a = point.draw.randrange(STATES), point.draw.choice(JOINT)
        here, row = point.place(agent, s, a), point.tables[agent][point.place(agent, s, a)]
        slope = {b: row[b] * ((b == a[agent]) - row[a[agent]]) for b in range(ACTIONS[agent])}
        others = [i for i in range(3) if i != agent]
        moved = sum(
            point.pi(point.tables, s, b, others) * slope[b[agent]] * point.Q[s, b]
            for b in JOINT
            if point.place(agent, s, b) == here
        )
        parents = {p: a[p] for p in dag.parents[agent]}
        weight, _ = point.given(s, parents)
        # dV = (I - gamma P)^-1 (dr + gamma dP V), and what is in brackets is `moved` in s and 0 elsewhere.
        slopes = solve(point.system(point.tables), [moved * (t == s) for t in range(STATES)])
        derivative = sum(m * v for m, v in zip(point.mu, slopes, strict=True))
        assert derivative == d[s] * weight * row[a[agent]] * point.advantage(agent, s, a)


@pytest.mark.parametrize("dag", DAGS, ids=str)
def test_lemma_2_what_a_deviator_gains_is_its_advantage_where_it_comes(dag, seed):
    point = Point(dag, seed)
    for agent in range(3):
        tables = list(point.tables)
        tables[agent] = point.table(agent)
        d, gain = point.visitation(tables), Fraction(0)
        for s in range(STATES):
            for place, row in tables[agent].items():
                if place[0] == s:
                    parents = dict(zip(dag.parents[agent], place[1:], strict=True))
                    weight, _ = point.given(s, parents)
                    for k, probability in enumerate(row):
                        a = [parents.get(i, 0) for i in range(3)]
                        a[agent] = k
                        gain += d[s] * weight * probability * point.advantage(agent, s, tuple(a))
        assert point.value(tables) - point.value(point.tables) == gain


def test_lemma_3_advantages_of_prefixes_add_up_on_the_complete_dag(seed):
    point = Point(complete(3), seed)
    for s in range(STATES):
        for a in JOINT:
            parts = sum(point.advantage(agent, s, a) for agent in range(3))
            assert parts == point.Q[s, a] - point.V[s]


def test_advantages_do_not_add_up_without_the_edges(seed):
    """The test can fail: no identity, no equality at a random point."""
    point = Point(Dag(3), seed)
    wrong = [
        sum(point.advantage(agent, s, a) for agent in range(3)) != point.Q[s, a] - point.V[s]
        for s in range(STATES)
        for a in JOINT
    ]
    assert any(wrong)


@pytest.mark.parametrize("dag", DAGS, ids=str)
def test_gains_are_values_of_the_game_of_advantages(dag, seed):
    """Rewards r + gamma E V(s') - V(s) for any V: every policy is worth what it is worth beyond V."""
    point = Point(dag, seed)
    level = [Fraction(point.draw.randrange(-999, 999), 7) for _ in range(STATES)]
    before = point.value(point.tables)
    for s, a in point.r:
        ahead = sum(p * v for p, v in zip(point.P[s, a], level, strict=True))
        point.r[s, a] += point.gamma * ahead - level[s]
    assert point.value(point.tables) == before - sum(m * v for m, v in zip(point.mu, level, strict=True))


def test_a_constant_in_all_rewards_adds_the_same_everywhere(seed):
    point = Point(complete(3), seed)
    before = point.values(point.tables)
    for place in point.r:
        point.r[place] += 10**9
    assert point.values(point.tables) == [value + 10**9 / (1 - point.gamma) for value in before]
