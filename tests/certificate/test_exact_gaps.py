"""Proved gaps against the truth: games made to mislead, solved with 250 digits and by another way.

Every deterministic policy is tried, and every value is the solution of a linear system by elimination.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.experiment import Experiment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnpg.certificate import proved_claims
from bnpg.certified import exact_check, floats
from bnpg.certified.exact_check import Problem, float_above, lower_bounds, upper_bounds
from bnpg.certified.exactly import UNASKED, find_vectors_quietly, prove
from bnpg.evaluation.measure import measure
from bnpg_math.dag import Dag
from bnpg_math.games.game import Game, dense_game
from bnpg_math.policies.joint import Policy


@dataclass(frozen=True)
class Small:
    """A game with one axis of flat joint actions; weights of P and mu need not sum to 1."""

    actions: tuple[int, ...]
    transition: list[list[list[float]]]
    reward: list[list[float]]
    initial: list[float]
    gamma: float

    @property
    def states(self) -> int:
        return len(self.initial)

    @property
    def joint(self) -> list[tuple[int, ...]]:
        return list(product(*map(range, self.actions)))


Table = Callable[[int, tuple[int, ...]], Sequence[Decimal]]
"""Probabilities of an agent's actions in a state, given the whole joint action: it looks at its parents'."""

DIGITS = 250


@pytest.fixture(autouse=True)
def precise() -> Iterator[None]:
    with localcontext(prec=DIGITS, Emax=10**6, Emin=-(10**6)):
        yield


def decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)


def shares(weights: Sequence[float]) -> list[Decimal]:
    exact = [Fraction(weight) for weight in weights]
    return [decimal(weight / sum(exact)) for weight in exact]


def softmax(logits: Sequence[float]) -> list[Decimal]:
    largest = max(Fraction(logit) for logit in logits)
    weights = [decimal(Fraction(logit) - largest).exp() for logit in logits]
    return [weight / sum(weights) for weight in weights]


def solve(matrix: list[list[Decimal]], right: list[Decimal]) -> list[Decimal]:
    """By elimination; the matrix is diagonally dominant, so no pivot is small."""
    size = len(right)
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for column in range(size):
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for row in range(size):
            if row != column and rows[row][column] != 0:
                factor = rows[row][column]
                rows[row] = [x - factor * y for x, y in zip(rows[row], rows[column], strict=True)]
    return [row[-1] for row in rows]


class Truth:
    """Nash gap and optimality gap of tables in a game."""

    def __init__(self, game: Small, parents: Sequence[Sequence[int]], tables: Sequence[Table]) -> None:
        self._game, self._gamma = game, Decimal(game.gamma)
        self._rows = [[shares(row) for row in rows] for rows in game.transition]
        self._start = shares(game.initial)
        present = self._joint(tables)
        self.nash = Decimal(0)
        for agent in range(len(game.actions)):
            for answer in _answers(game, parents[agent], agent):
                changed = [*tables[:agent], answer, *tables[agent + 1 :]]
                self.nash = max(self.nash, self._joint(changed) - present)
        choices = product(range(len(game.joint)), repeat=game.states)
        self.optimality = max(self._value([{flat: Decimal(1)} for flat in c]) for c in choices) - present

    def _joint(self, tables: Sequence[Table]) -> Decimal:
        shares_of: list[dict[int, Decimal]] = []
        for s in range(self._game.states):
            shares_of.append({})
            for flat, action in enumerate(self._game.joint):
                share = Decimal(1)
                for table, own in zip(tables, action, strict=True):
                    share = share and share * table(s, action)[own]
                if share:
                    shares_of[s][flat] = share
        return self._value(shares_of)

    def _value(self, shares_of: list[dict[int, Decimal]]) -> Decimal:
        game, states = self._game, range(self._game.states)
        system = [[Decimal(int(s == t)) for t in states] for s in states]
        earned = [Decimal(0) for _ in states]
        for s in states:
            for flat, share in shares_of[s].items():
                earned[s] += share * Decimal(game.reward[s][flat])
                for t, p in enumerate(self._rows[s][flat]):
                    system[s][t] -= self._gamma * share * p
        return sum(m * v for m, v in zip(self._start, solve(system, earned), strict=True)) + Decimal(0)


def _answers(game: Small, parents: Sequence[int], agent: int) -> Iterator[Table]:
    rows = list(product(range(game.states), *(range(game.actions[p]) for p in parents)))
    pure = [
        [Decimal(int(b == best)) for b in range(game.actions[agent])] for best in range(game.actions[agent])
    ]
    for chosen in product(pure, repeat=len(rows)):
        of_row = dict(zip(rows, chosen, strict=True))
        yield lambda s, a, _of=of_row: _of[(s, *(a[p] for p in parents))]


@dataclass(frozen=True)
class Case:
    game: Small
    parents: tuple[tuple[int, ...], ...]
    thetas: list[list[float]]

    def table(self, agent: int) -> Table:
        width, rows = self.game.actions[agent], {}
        places = product(range(self.game.states), *(range(self.game.actions[p]) for p in self.parents[agent]))
        for number, place in enumerate(places):
            rows[place] = softmax(self.thetas[agent][number * width : (number + 1) * width])
        return lambda s, a: rows[(s, *(a[p] for p in self.parents[agent]))]

    def truth(self) -> tuple[Fraction, Fraction]:
        tables = [self.table(agent) for agent in range(len(self.parents))]
        truth = Truth(self.game, self.parents, tables)
        return Fraction(truth.nash), Fraction(truth.optimality)

    def problem(self, bits: int | None = None) -> Problem:
        game, joint = self.game, len(self.game.joint)
        flat = [weight for rows in game.transition for row in rows for weight in row]
        everywhere = [tuple(range(game.states))] * (game.states * joint)
        rows, row_of = exact_check.distinct_rows(flat, everywhere, game.states)
        rewards = [reward for row in game.reward for reward in row]
        exact = exact_check.Game(game.actions, rows, row_of, rewards, game.initial, game.gamma)
        return Problem(exact, exact_check.Policy(self.parents, tuple(self.thetas)), bits)

    def rounded(self) -> "Case":
        """With rows that sum to 1 up to rounding, as a program is given them."""
        rows = [[[float(p) for p in shares(row)] for row in rows] for rows in self.game.transition]
        start = [float(p) for p in shares(self.game.initial)]
        return replace(self, game=replace(self.game, transition=rows, initial=start))

    def in_floats(self) -> tuple[Game, Policy]:
        game, shape = self.game, (self.game.states, *self.game.actions)
        table = np.array(game.transition).reshape(*shape, game.states)
        reward = np.array(game.reward).reshape(shape)
        played = dense_game("case", table, reward, np.array(game.initial), game.gamma)
        edges = [(p, child) for child, above in enumerate(self.parents) for p in above]
        thetas = [
            np.array(theta).reshape(game.states, *(game.actions[p] for p in above), -1)
            for theta, above in zip(self.thetas, self.parents, strict=True)
        ]
        return played, Policy(Dag(len(self.parents), edges), tuple(thetas))

    @property
    def scale(self) -> Fraction:
        """What the digits of the truth may count."""
        rewards = [Fraction(reward) for row in self.game.reward for reward in row]
        return (max(rewards) - min(rewards) + 1) / (1 - Fraction(self.game.gamma)) ** 2 * Fraction(1, 10**200)


WEIGHTS = st.sampled_from([0.0, 0.0, 1.0, 3.0, 0.1, 2.0**-60, 1e-300, 7e5])
LOGITS = st.sampled_from([0.0, 0.0, 1.0, -2.5, 40.0, 700.0, 1e5, -1e5, 1e-17])
GAMMAS = st.one_of(st.sampled_from([0.0, 0.5, 0.9, 0.99999]), st.integers(3, 20).map(lambda k: 1 - 2.0**-k))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    actions = tuple(draw(st.lists(st.integers(1, 2), min_size=1, max_size=3)))
    states = draw(st.integers(1, 3 if len(actions) < 3 else 2))
    joint = math.prod(actions)
    parents = tuple(
        tuple(p for p in range(i) if draw(st.booleans())) if i else () for i in range(len(actions))
    )
    if draw(st.booleans()):  # the other way round: parents with larger numbers
        last = len(actions) - 1
        parents = tuple(tuple(sorted(last - p for p in above)) for above in reversed(parents))
    row = st.lists(WEIGHTS, min_size=states, max_size=states).filter(any)
    shift, size = draw(st.sampled_from([0.0, 1e9, -1e9])), 2.0 ** draw(st.integers(-20, 20))
    reward = st.integers(-3, 3).map(lambda number: number * size + shift)
    rewards = [draw(st.lists(reward, min_size=joint, max_size=joint)) for _ in range(states)]
    if draw(st.booleans()):
        rewards[-1][0] = -1e12
    game = Small(
        actions,
        [[draw(row) for _ in range(joint)] for _ in range(states)],
        rewards,
        draw(row),
        draw(GAMMAS),
    )
    sizes = [states * math.prod(actions[p] for p in above) * actions[i] for i, above in enumerate(parents)]
    return Case(game, parents, [draw(st.lists(LOGITS, min_size=n, max_size=n)) for n in sizes])


RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@RELAXED
@given(case=cases())
def test_no_proved_gap_is_below_the_truth_nor_far_above_it(case: Case) -> None:
    problem, truth = case.problem(), case.truth()
    found = find_vectors_quietly(problem)
    above, below = upper_bounds(problem, found), lower_bounds(problem, found)
    for high, low, true in zip(
        (above.nash, above.optimality), (below.nash, below.optimality), truth, strict=True
    ):
        assert low - case.scale <= true <= high + case.scale
        assert high - low <= problem.range * Fraction(1, 2**60)
        assert Fraction(float_above(high)) >= high


@RELAXED
@given(case=cases(), seed=st.integers(0, 2**32))
def test_bad_vectors_prove_less_and_never_anything_false(case: Case, seed: int) -> None:
    problem, truth = case.problem(), case.truth()
    rng = np.random.default_rng(seed)
    largest = max(1, int(problem.range * 2**problem.scale)) if problem.scale >= 0 else 1

    def vector() -> list[int]:
        return [int(x * 1000) * largest // 1000 for x in rng.normal(size=len(problem.reached))]

    found = exact_check.Vectors(vector(), [vector() for _ in case.parents], vector())
    above, below = upper_bounds(problem, found), lower_bounds(problem, found)
    assert below.nash - case.scale <= truth[0] <= above.nash + case.scale
    assert below.optimality - case.scale <= truth[1] <= above.optimality + case.scale


@RELAXED
@given(case=cases(), bits=st.sampled_from([6, 12, 600]))
def test_what_a_rounded_policy_leaves_open_is_added(case: Case, bits: int) -> None:
    problem, truth = case.problem(bits), case.truth()
    found = find_vectors_quietly(problem)
    above, below = upper_bounds(problem, found), lower_bounds(problem, found)
    assert below.nash - case.scale <= truth[0] <= above.nash + case.scale
    assert below.optimality - case.scale <= truth[1] <= above.optimality + case.scale


def test_bounds_in_floats_count_what_the_tables_are_off_from_the_softmax() -> None:
    case = Case(Small((3,), [[[1.0]] * 3], [[0.0, 0.5, 1.0]], [1.0], 1 - 2.0**-10), ((),), [[0.0, 0.1, 3.0]])
    played, policy = case.in_floats()
    measured = measure(played, policy, 0.0)
    bounds = floats.upper_bounds(played, measured)
    # An L1 error of 50 units, at 1 / (1 - gamma)^2 = 2^20 a unit of reward.
    assert bounds.nash >= measured.nash_gap_upper + 50 * 2.0**-33
    assert bounds.optimality >= measured.optimality_gap_upper + 50 * 2.0**-33


@RELAXED
@given(case=cases())
def test_bounds_in_floats_are_not_below_the_truth_either(case: Case) -> None:
    played, policy = case.rounded().in_floats()
    bounds = floats.upper_bounds(played, measure(played, policy, 0.0))
    nash, optimality = case.truth()
    assert bounds.nash == math.inf or Fraction(bounds.nash) >= nash - case.scale
    assert bounds.optimality == math.inf or Fraction(bounds.optimality) >= optimality - case.scale


@RELAXED
@given(case=cases(), weight=st.sampled_from([0.0, 5e-324, 1e-300, 1e-9, 0.1, 1.0, 1e6]))
def test_no_entry_of_a_certificate_is_below_the_truth(case: Case, weight: float) -> None:
    case = case.rounded()
    played, policy = case.in_floats()
    measured = measure(played, policy, weight, mismatch=True)
    proof = prove(Experiment(game="case"), Path(), played, policy, UNASKED)
    truth = dict(zip(("epsilon-nash", "epsilon-optimal"), case.truth(), strict=True))
    for bounds in (proof, floats.upper_bounds(played, measured)):
        claims = proved_claims(measured, bounds, weight)
        for claim in claims:
            assert Fraction(claim["epsilon"]) >= truth[claim["claim"]] - case.scale, claim
        assert weight > 1e-280 or not any(claim["by"].startswith("Lemma") for claim in claims)


@given(logits=st.lists(LOGITS, min_size=1, max_size=5), bits=st.integers(60, 300))
def test_a_softmax_is_enclosed(logits: list[float], bits: int) -> None:
    (row,) = exact_check.softmax(logits, len(logits), bits)
    assert sum(row) == 2**bits
    assert min(row) >= 0
    off = sum(abs(Fraction(n, 2**bits) - Fraction(p)) for n, p in zip(row, softmax(logits), strict=True))
    assert off <= Fraction(5 * len(logits), 2**bits) + Fraction(1, 10**80)


def test_a_state_out_of_reach_and_a_shift_count_for_nothing() -> None:
    def lock(forbidden: float, shift: float) -> Case:
        """Both 1 leads from 0 to 1, where it pays 1 for good; waiting pays 0.5; nobody gets to 2."""
        stay = [[float(s == t) for t in range(3)] for s in range(3)]
        transition = [[stay[0], stay[0], stay[0], stay[1]], [stay[1]] * 4, [stay[2]] * 4]
        reward = [[0.5 + shift] * 3 + [shift], [1.0 + shift] * 4, [forbidden] * 4]
        return Case(
            Small((2, 2), transition, reward, [1.0, 0.0, 0.0], 1 - 2.0**-10), ((), ()), [[0.0] * 6] * 2
        )

    def bounds(case: Case) -> tuple[float, float]:
        problem = case.problem()
        found = upper_bounds(problem, find_vectors_quietly(problem))
        return float_above(found.nash), float_above(found.optimality)

    plain = bounds(lock(0.0, 0.0))
    assert plain[0] > 0.1
    assert bounds(lock(-1e12, 0.0)) == plain
    assert bounds(lock(-1e300, float(2**30))) == plain


def test_one_reward_makes_all_policies_alike() -> None:
    case = Case(Small((2,), [[[1.0], [1.0]]], [[0.1, 0.1]], [1.0], 0.9), ((),), [[0.0, 3.0]])
    problem = case.problem()
    assert upper_bounds(problem, find_vectors_quietly(problem)).optimality == 0


@pytest.mark.parametrize(
    "number", [Fraction(1, 3), Fraction(1, 10), Fraction(10**400), Fraction(1, 10**400), -Fraction(1, 3)]
)
def test_a_number_is_rounded_up(number: Fraction) -> None:
    above = float_above(number)
    assert above == math.inf or number <= Fraction(above)
    assert above == math.inf or Fraction(math.nextafter(above, -math.inf)) < number
