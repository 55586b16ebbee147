"""A game in integers of any length: values, best responses and optima where doubles cannot decide.

Probabilities, rewards and values are integers times a power of two. A backup of a vector x, r + gamma P x,
is then exact, and whether an action is better is decided without rounding. Only the solution of the linear
system is approximate: a factorisation in doubles corrects it until the residual is some units of the last
place, and the residual, which is exact, encloses the true value: V_pi is between x + min(T_pi x - x)^- / (1
- gamma) and x + max(T_pi x - x)^+ / (1 - gamma).

What is meant by a row of probabilities whose doubles do not sum to 1 is the row divided by its exact sum.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgetrf, dgetrs

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import spread
from bnpg_math.dag import Dag
from bnpg_math.exact.centred import reachable
from bnpg_math.exact.integers import (
    IntegerArray,
    Rows,
    aligned,
    as_float,
    as_integers,
    chosen,
    floored,
    normalised,
    smallest_exponent,
)
from bnpg_math.exact.kernel_integers import kernel_rows, probabilities
from bnpg_math.exact.rounding import SMALLEST
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import local_flow

AFFORDABLE = 400_000
"""Transitions of positive probability up to which integers are affordable: about a second an evaluation."""
_STATES = 300
_DENSE = 4_000_000
GUARD = 160
"""Bits beyond the smallest probability."""
_MOST_BITS = 6000
_ROUNDS = 500
_LEAST_EXPONENT = -1074


class Solved(NamedTuple):
    """Values of a policy, and how far they are from the best.

    ``x``: (S,) integers; ``low`` <= 0 and ``high`` >= 0: the value of the policy is within x + low and x +
    high, in units; ``above`` >= 0: no policy of the class exceeds x + above; ``choice``: the policy.
    """

    x: IntegerArray
    low: Fraction
    high: Fraction
    above: Fraction
    choice: Any


def is_affordable(game: Game) -> bool:
    """Whether a game is small enough for integers."""
    size = game.states * game.states * game.joint_actions
    if game.states > _STATES or size > _DENSE:
        return False
    return size <= AFFORDABLE or int(np.count_nonzero(probabilities(game.transition))) <= AFFORDABLE


class FixedPoint:
    """A game in units of a power of two.

    Parameters
    ----------
    game : Game
    reward : (S, A_1, .., A_N) float, optional
        Instead of the game's own.
    bits : int
        Binary places kept beyond the largest reward and the smallest probability.
    """

    def __init__(self, game: Game, reward: FloatArray | None = None, bits: int = GUARD) -> None:
        given = game.reward if reward is None else reward
        self.game = game
        self.kernel = kernel_rows(game.transition, bits)
        numerator, denominator = game.gamma.as_integer_ratio()
        self.gamma, self.gamma_bits = numerator, denominator.bit_length() - 1
        self.horizon = 1 / (1 - Fraction(game.gamma))
        self.guard = bits
        starting = normalised(as_integers(game.initial[None]), bits)
        self.initial, self._started = starting.values[0], starting.lost
        self.places = min(_MOST_BITS, bits + self.kernel.finest)
        # Values are relative to the middle of the rewards: a constant in all of them cannot hide anything.
        self.kept = reachable(game)
        met = given[self.kept]
        low, high = Fraction(float(met.min())), Fraction(float(met.max()))
        self.centre = (low + high) / 2
        span = max(high - self.centre, self.centre - low)
        # Half of the smallest double is none.
        self.exponent = math.frexp(float(span) or SMALLEST)[1] if span else _LEAST_EXPONENT
        self.unit = Fraction(2) ** (self.exponent - self.places)
        reward = aligned(given, self.centre, self.exponent - self.places)
        # What a state out of reach pays may be larger than everything else, and matters to nobody.
        reward[~self.kept] = 0
        self.reward: IntegerArray = reward.reshape(game.states, -1)
        self._sorted = self._by_pair()

    def _by_pair(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Order of the transitions by (s, s'), and these pairs as s * S + s'."""
        states = self.game.states
        pair = (self.kernel.rows // self.game.joint_actions) * states + self.kernel.columns
        order = np.argsort(pair, kind="stable")
        return order, pair[order]

    def backup(self, x: IntegerArray) -> IntegerArray:
        """Return r + gamma P x, exactly, in units of 2^-:attr:`scale` of those of x; (S, A) integers."""
        products = self.kernel.values * x[self.kernel.columns]
        sums = np.add.reduceat(products, self.kernel.starts)
        expected = sums.reshape(self.game.states, -1) * self.gamma
        result: IntegerArray = (self.reward << self.scale) + expected
        return result

    @property
    def scale(self) -> int:
        """Binary places that a backup adds."""
        return self.kernel.bits + self.gamma_bits

    def solve(self, weights: IntegerArray, bits: int) -> IntegerArray:
        """Values under a joint policy, up to some units.

        Parameters
        ----------
        weights : (S, A) integers
            The joint policy, times 2^bits.
        bits : int
        """
        states = self.game.states
        reward = floored((weights * self.reward).sum(axis=1), bits)
        chain, places = self._chain(weights, bits)
        scale = places + self.gamma_bits
        system = (-self.gamma) * chain
        system[np.arange(states), np.arange(states)] += 1 << scale
        whole = 1 << scale
        matrix = np.array([[entry / whole for entry in row] for row in system.tolist()])
        factors, pivots, _ = dgetrf(matrix.T)
        x = np.full(states, 0, dtype=object)
        before = -1
        for _ in range(_ROUNDS):
            residual = reward + floored(chain.dot(x) * self.gamma, scale) - x
            size = int(max(abs(residual.max()), abs(residual.min())))
            if size <= 1 or (before >= 0 and 2 * size > before):
                break
            before = size
            shift = max(0, size.bit_length() - 60)
            step = dgetrs(factors, pivots, floored(residual, shift).astype(np.float64), trans=1)[0]
            if not np.isfinite(step).all():
                break
            x = x + np.array([round(entry) << shift for entry in step.tolist()], dtype=object)
        return x

    def _chain(self, weights: IntegerArray, bits: int) -> tuple[IntegerArray, int]:
        """P_pi as integers times 2^places."""
        states = self.game.states
        flat = weights.reshape(-1)
        order, pairs = self._sorted
        used = np.flatnonzero((flat != 0)[self.kernel.rows[order]])
        order, pairs = order[used], pairs[used]
        products = self.kernel.values[order] * flat[self.kernel.rows[order]]
        starts = np.flatnonzero(np.concatenate([[True], np.diff(pairs) != 0]))
        places = self.places + 40
        chain = np.full(states * states, 0, dtype=object)
        chain[pairs[starts]] = np.add.reduceat(products, starts)
        return floored(chain.reshape(states, states), self.kernel.bits + bits - places), places

    def inside(self, difference: IntegerArray, bits: int) -> tuple[Fraction, Fraction]:
        """Enclose what is left: the extremes of (T x - x) / (1 - gamma), in units.

        Parameters
        ----------
        difference : (S,) integers
            T x - x, times 2^bits.
        bits : int
        """
        low = Fraction(min(0, int(difference.min())), 1 << bits) * self.horizon
        high = Fraction(max(0, int(difference.max())), 1 << bits) * self.horizon
        return low, high

    def optimum(self, start: NDArray[np.intp], most: int = _ROUNDS) -> Solved:
        """Best joint policy, by policy iteration from a choice of a flat joint action a state."""
        states = np.arange(self.game.states)
        choice = start
        while True:
            weights = np.full((self.game.states, self.game.joint_actions), 0, dtype=object)
            weights[states, choice] = 1
            x = self.solve(weights, 0)
            Q = self.backup(x)
            level = x << self.scale
            own = Q[states, choice]
            low, high = self.inside(own - level, self.scale)
            best = Q.argmax(axis=1)
            largest = Q[states, best]
            improves = largest - own > self._certain(low, high, self.scale)
            most -= 1
            if not improves.any() or most == 0:
                return Solved(x, low, high, self.inside(largest - level, self.scale)[1], choice)
            choice = np.where(improves.astype(bool), best, choice)

    def _certain(self, low: Fraction, high: Fraction, bits: int) -> int:
        """Difference of two backups of x from which the action is better also for the true values."""
        return math.ceil(2 * (high - low) * (1 << bits))

    def policy(self, tables: Sequence[FloatArray], dag: Dag) -> "FixedPointPolicy":
        """The same policy in integers."""
        return FixedPointPolicy(self, tables, dag)

    def at_start(self, x: IntegerArray) -> Fraction:
        """Return mu x, in units."""
        return Fraction(int((self.initial * x).sum()), int(self.initial.sum()))

    def value(self, x: Fraction | int) -> Fraction:
        """The return that a number of units is."""
        return x * self.unit + self.centre * self.horizon

    def values(self, x: IntegerArray, otherwise: FloatArray) -> FloatArray:
        """Return the values that units are; those from states out of reach are not known here.

        Parameters
        ----------
        x : (S,) integers
        otherwise : (S,) float
            Values to put where no policy comes.
        """
        exact = np.array([as_float(self.value(entry)) for entry in x.tolist()])
        return np.where(self.kept, exact, otherwise)

    def uncertainty(self, lost: Fraction = Fraction(0)) -> Fraction:
        """How far a value may be moved by rounding rows to integers, in units.

        Parameters
        ----------
        lost : Fraction
            Of the tables in use, all together.
        """
        # At every step a row that is off moves a value by at most half the L1 distance times the range of
        # values, which is at most twice `whole`; rewards are off by a unit.
        whole = (1 << self.places) * self.horizon
        off = self.kernel.lost + lost
        return (off * self.horizon + self._started) * whole + self.horizon * 2


class FixedPointPolicy:
    """A Bayesian-network policy over a :class:`FixedPoint` game.

    Parameters
    ----------
    game : FixedPoint
    tables : sequence of N arrays (S, *P, A_i) float
    dag : Dag
    """

    def __init__(self, game: FixedPoint, tables: Sequence[FloatArray], dag: Dag) -> None:
        self.game, self.dag = game, dag
        self.tables: list[Rows] = []
        for table in tables:
            rows = normalised(as_integers(table.reshape(-1, table.shape[-1])), game.guard)
            self.tables.append(rows._replace(values=rows.values.reshape(table.shape)))
        self.bits = sum(rows.bits for rows in self.tables)

    def evaluate(self) -> Solved:
        """Value of the policy."""
        states, scale = self.game.game.states, self.game.scale + self.bits
        weights = self._product(range(len(self.tables))).reshape(states, -1)
        x = self.game.solve(weights, self.bits)
        mixed = (weights * self.game.backup(x)).sum(axis=1)
        low, high = self.game.inside(mixed - (x << scale), scale)
        return Solved(x, low, high, high, None)

    def respond(self, agent: int, start: FloatArray, most: int = _ROUNDS) -> Solved:
        """Best response of one agent, from a table to begin with; the table comes back as integers."""
        game, rows, family = self.game, self.tables[agent], self.dag.families[agent]
        states, shape = game.game.states, (game.game.states, *game.game.actions)
        begun = normalised(as_integers(start.reshape(-1, start.shape[-1])), rows.bits)
        others = self._product(other for other in range(len(self.tables)) if other != agent)
        others_bits = self.bits - rows.bits
        scale = game.scale + others_bits
        table, bits = begun.values.reshape(start.shape), begun.bits
        while True:
            weights = (others * spread(table, family, self.dag.agents)).reshape(states, -1)
            x = game.solve(weights, others_bits + bits)
            conditional = local_flow(others * game.backup(x).reshape(shape), family)
            mixed = (table * conditional).sum(axis=-1)
            level = x << scale
            low, high = game.inside(mixed.reshape(states, -1).sum(axis=1) - (level << bits), scale + bits)
            largest = conditional.max(axis=-1)
            improves = (largest << bits) - mixed > game._certain(low, high, scale + bits)
            most -= 1
            if not improves.any() or most == 0:
                best = largest.reshape(states, -1).sum(axis=1) - level
                return Solved(x, low, high, game.inside(best, scale)[1], table)
            table = chosen(table, conditional.argmax(axis=-1), improves.astype(bool), bits)

    def _product(self, agents: Any) -> IntegerArray:
        product: IntegerArray = np.full((self.game.game.states, *self.game.game.actions), 1, dtype=object)
        for agent in agents:
            product = product * spread(self.tables[agent].values, self.dag.families[agent], self.dag.agents)
        return product

    def uncertainty(self) -> Fraction:
        """As :meth:`FixedPoint.uncertainty`, for values under this policy and deviations from it."""
        return self.game.uncertainty(sum((rows.lost for rows in self.tables), Fraction(0)))


def bits_for(tables: Sequence[FloatArray]) -> int:
    """Binary places that keep the products of the smallest probabilities of all tables."""
    return min(_MOST_BITS, GUARD + sum(smallest_exponent(table) for table in tables))
