"""Value, optimality gap and Nash gap of policies of one game, each with an upper bound of what it is in
truth.

Doubles come first, with a bound of their error. A number whose error is not small beside it is computed
again: in integers where the game is small enough, else in doubles on centred rewards. What neither decides
keeps the wide bound. The numbers satisfy what holds in truth: 0 <= Nash gap <= optimality gap, and one
agent's are equal.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.exact.centred import centred, returns_spread
from bnpg_math.exact.fixed_point import FixedPoint, FixedPointPolicy, Solved, bits_for, is_affordable
from bnpg_math.exact.integers import as_float, smallest_exponent, upwards
from bnpg_math.exact.kernel_integers import probabilities
from bnpg_math.exact.optimum import Iterated, enclosed_optimum, solve_in_doubles
from bnpg_math.exact.response import Deviation, deviations, enclosed_value
from bnpg_math.exact.rounding import ACCEPTED, SMALLEST, Enclosed, backup_rounding, sum_upwards, table_defects
from bnpg_math.exact.shaped import Shaped, Shaping
from bnpg_math.exact.values import Values, evaluate
from bnpg_math.games.game import Game

_RARE = 30
"""Binary places of a probability from which it is rare."""
_NOTHING = 2.0**-64
"""Beside the range of returns."""
_TINY = 1e-250
"""Range of returns below which what is lost in products of twice the digits may be below all doubles."""
_STEP = 128
"""Precisions are multiples of this, so that solutions of the same game are found again."""


@dataclass(frozen=True)
class NashGap:
    """Definition 1; it unpacks as ``gap, per_agent``.

    Parameters
    ----------
    gap : float
        The largest of `per_agent`.
    per_agent : tuple of N float
        What each agent alone could gain, at least 0; NaN where doubles overflow and integers are too
        expensive.
    upper : float
        The true gap is at most this, whatever was rounded.
    upper_per_agent : tuple of N float
        Likewise.
    """

    gap: float
    per_agent: tuple[float, ...]
    upper: float
    upper_per_agent: tuple[float, ...]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.gap, self.per_agent))

    def at_most(self, number: float, upper: float) -> "NashGap":
        """The same, where the optimality gap is known: `number`, and in truth at most `upper`."""
        # min() keeps its first argument where the second is NaN.
        return NashGap(
            min(self.gap, number),
            tuple(min(gap, number) for gap in self.per_agent),
            min(self.upper, upper),
            tuple(min(gap, upper) for gap in self.upper_per_agent),
        )

    def allowing(self, more: float) -> "NashGap":
        """The same with upper bounds that are higher by so much."""
        uppers = tuple(upper + more for upper in self.upper_per_agent)
        return NashGap(self.gap, self.per_agent, self.upper + more, uppers)


@dataclass(frozen=True)
class Gaps:
    """What a policy is worth, and how far it is from the best.

    Parameters
    ----------
    value, optimal_value : float
        V(mu) and V*(mu).
    value_per_state : (S,) float
    optimality_gap : float
        V* - V, at least 0 (Definition 2).
    optimality_gap_upper : float
        The true gap is at most this.
    nash : NashGap
        Definition 1.
    """

    value: float
    value_per_state: FloatArray
    optimal_value: float
    optimality_gap: float
    optimality_gap_upper: float
    nash: NashGap


class Gauge:
    """Gaps of policies of a game; what belongs to the game alone is computed once.

    Parameters
    ----------
    game : Game
    """

    def __init__(self, game: Game) -> None:
        self._game = game
        self._precise: dict[int, tuple[FixedPoint, Solved]] = {}

    def gaps(
        self,
        dag: Dag,
        tables: Sequence[FloatArray],
        values: Values | None = None,
        each_agent: bool = True,
        off: float = 0.0,
    ) -> Gaps:
        """Measure a policy.

        Parameters
        ----------
        dag : Dag
        tables : sequence of N arrays (S, *P, A_i) float
            pi^i of every agent; rows are divided by their sums.
        values : Values, optional
            Of the joint policy; computed if missing.
        each_agent : bool
            Whether every agent's gain must be known to seven digits, or the largest alone.
        off : float
            How far rows of the tables may be from those that are meant, in L1 and all agents together; the
            upper bounds allow for it. See :func:`bnpg_math.exact.rounding.softmax_rounding`.

        Returns
        -------
        Gaps
        """
        present = values if values is not None else evaluate(self._game, joint_policy(tables, dag))
        found = _Measured(self, dag, tables, present)
        gains = found.gains(each_agent)
        gap = gains[0] if len(gains) == 1 and not found.optimality_gap.decided else found.optimality_gap
        if len(gains) == 1:
            gains = [gap]
        # Rows that are off by so much move each of two values by half of it times the range of returns.
        allowance = off * self.range_of_returns / (1.0 - self._game.gamma)
        if off and self.range_of_returns:
            allowance += SMALLEST / (1.0 - self._game.gamma)  # the product may be below all doubles
        return _consistent(
            (found.value.number, found.value_per_state, found.best.number), gap, gains, allowance
        )

    def nash(self, dag: Dag, tables: Sequence[FloatArray], values: Values | None = None) -> NashGap:
        """The Nash gap alone; see :meth:`gaps`."""
        present = values if values is not None else evaluate(self._game, joint_policy(tables, dag))
        return _nash(_Measured(self, dag, tables, present).gains(True))

    @property
    def game(self) -> Game:
        """The game."""
        return self._game

    @cached_property
    def affordable(self) -> bool:
        """Whether integers are."""
        return is_affordable(self._game)

    @cached_property
    def best_in_doubles(self) -> tuple[Iterated, Enclosed]:
        """The optimum of the game, and V*(mu)."""
        found = solve_in_doubles(self._game)
        return found, enclosed_optimum(self._game, found)

    @cached_property
    def optimal_value(self) -> float:
        """V*(mu)."""
        best = self.best_in_doubles[1]
        if best.decided:
            return best.number
        if self.affordable:
            exact, solved = self.precise(0)
            off = max(solved.above, -solved.low) + exact.uncertainty()
            number, _ = _told_from_nothing(exact.value(exact.at_start(solved.x)), off * exact.unit)
            return as_float(number)
        return best.number

    @cached_property
    def centred(self) -> "Gauge":
        """The same game with centred rewards."""
        return Gauge(centred(self._game))

    @cached_property
    def shaping(self) -> Shaping:
        """Advantages with twice the digits; where integers are affordable."""
        return Shaping(self._game)

    @cached_property
    def negligible(self) -> float:
        """What is nothing beside the returns, unless there are rare transitions."""
        # A tensor is made of small games alone: that of others may take gigabytes.
        if not self.affordable or smallest_exponent(probabilities(self._game.transition)) > _RARE:
            return 0.0
        return _NOTHING * self.range_of_returns

    @cached_property
    def range_of_returns(self) -> float:
        """The best and the worst return are at most so far apart."""
        return returns_spread(self._game)

    @property
    def is_tiny(self) -> bool:
        """Whether twice the digits do not help."""
        return self.range_of_returns < _TINY

    def precise(self, bits: int) -> tuple[FixedPoint, Solved]:
        """The game in integers, and its optimum there."""
        places = -(-bits // _STEP) * _STEP
        if places not in self._precise:
            exact = FixedPoint(self._game, bits=places or bits_for(()))
            self._precise[places] = (exact, exact.optimum(self.best_in_doubles[0].choice))
        return self._precise[places]


class _Measured:
    """One policy; every number is computed when it is asked for, as precisely as it takes."""

    def __init__(self, gauge: Gauge, dag: Dag, tables: Sequence[FloatArray], present: Values) -> None:
        self._gauge, self._dag, self._tables, self._present = gauge, dag, tables, present

    @cached_property
    def value(self) -> Enclosed:
        """V(mu)."""
        found = self._value
        if found.decided or not self._gauge.affordable:
            return found
        exact, _ = self._exact
        number = exact.game.value(exact.game.at_start(self._now.x))
        off = max(self._now.high, -self._now.low) + exact.uncertainty()
        return _enclosed(*_told_from_nothing(number, off * exact.game.unit))

    @property
    def value_per_state(self) -> FloatArray:
        """V from each state, as precise as V(mu)."""
        if self._value.decided or not self._gauge.affordable:
            return self._present.V
        return self._exact[0].game.values(self._now.x, self._present.V)

    @cached_property
    def best(self) -> Enclosed:
        """V*(mu)."""
        return Enclosed(self._gauge.optimal_value, self._gauge.best_in_doubles[1].error)

    @cached_property
    def optimality_gap(self) -> Enclosed:
        """V* - V."""
        best, now = self._gauge.best_in_doubles[1], self._value
        gap = Enclosed(best.number - now.number, sum_upwards(best.error, now.error))
        if gap.decided:
            return gap
        if self._gauge.affordable:
            if not self._gauge.is_tiny:
                shaped = self._shaped.optimality_gap(self._gauge.best_in_doubles[0].choice)
                if self._is_decided(shaped):
                    return shaped
            exact, solved = self._exact
            return self._difference(exact, solved)
        first, second = self._gauge.centred.best_in_doubles[1], self._centred._value
        closer = Enclosed(first.number - second.number, sum_upwards(first.error, second.error))
        return closer if closer.error < gap.error or not math.isfinite(gap.error) else gap

    def gains(self, each_agent: bool) -> list[Enclosed]:
        """What each agent alone could gain."""
        gains = [deviation.gain for deviation in self._deviations]
        for closer in self._ways():
            if each_agent or not _is_largest_known(gains, self._is_decided):
                for agent in range(len(gains)):
                    if not self._is_decided(gains[agent]):
                        again = closer(agent)
                        if again.error < gains[agent].error or not math.isfinite(gains[agent].error):
                            gains[agent] = again
        return gains

    def _ways(self) -> Sequence[Callable[[int], Enclosed]]:
        """How a gain is computed again, cheapest first."""
        if self._gauge.affordable:
            return (self._precise_gain,) if self._gauge.is_tiny else (self._shaped_gain, self._precise_gain)
        return (self._centred_gain,)

    def _shaped_gain(self, agent: int) -> Enclosed:
        return self._shaped.gain(agent)

    def _precise_gain(self, agent: int) -> Enclosed:
        start = self._deviations[agent].response.policy
        return self._difference(self._exact[0], self._exact[0].respond(agent, start))

    def _centred_gain(self, agent: int) -> Enclosed:
        return self._centred._deviations[agent].gain

    def _is_decided(self, gap: Enclosed) -> bool:
        """Whether a gap is known to seven digits, or is nothing where nothing is rare."""
        if gap.decided:
            return True
        negligible = gap.number == 0.0 and gap.error <= self._gauge.negligible
        return negligible and all(smallest_exponent(table) <= _RARE for table in self._tables)

    @cached_property
    def _rounding(self) -> float:
        return backup_rounding(self._gauge.game, table_defects(self._tables))

    @cached_property
    def _value(self) -> Enclosed:
        with np.errstate(over="ignore", invalid="ignore"):
            return enclosed_value(self._gauge.game, self._present, self._rounding)

    @cached_property
    def _deviations(self) -> list[Deviation]:
        game = self._gauge.game
        return deviations(game, self._dag, self._tables, self._present, self._rounding, self._value)

    @cached_property
    def _centred(self) -> "_Measured":
        gauge = self._gauge.centred
        return _Measured(gauge, self._dag, self._tables, evaluate(gauge.game, self._present.pi))

    @cached_property
    def _shaped(self) -> Shaped:
        defects = table_defects(self._tables)
        return Shaped(self._gauge.shaping, self._dag, self._tables, self._present, defects)

    @cached_property
    def _exact(self) -> tuple[FixedPointPolicy, Solved]:
        exact, solved = self._gauge.precise(bits_for(self._tables))
        return exact.policy(self._tables, self._dag), solved

    @cached_property
    def _now(self) -> Solved:
        return self._exact[0].evaluate()

    def _difference(self, exact: FixedPointPolicy, better: Solved) -> Enclosed:
        """What a solution gains beyond the present policy: nearest double, and an upper bound beyond it."""
        now, game = self._now, exact.game
        gain = max(game.at_start(better.x - now.x), Fraction(0))
        either = max(better.above - now.low, now.high - better.low) + 2 * exact.uncertainty()
        return _enclosed(*_told_from_nothing(gain * game.unit, either * game.unit))


def _is_largest_known(gains: Sequence[Enclosed], is_decided: Callable[[Enclosed], bool]) -> bool:
    """Whether the largest gain is known to seven digits, even if others are not."""
    known = [gain.number for gain in gains if is_decided(gain)]
    most = max(known, default=-1.0) * (1.0 + ACCEPTED)
    return all(is_decided(gain) or gain.number + gain.error <= most for gain in gains)


def _told_from_nothing(number: Fraction, error: Fraction) -> tuple[Fraction, Fraction]:
    """The same enclosure around 0, where it holds 0."""
    return (number, error) if abs(number) > error else (Fraction(0), abs(number) + error)


def _enclosed(number: Fraction, error: Fraction) -> Enclosed:
    nearest = as_float(number)
    if not math.isfinite(nearest):
        return Enclosed(nearest, math.inf)
    return Enclosed(nearest, upwards(abs(number - Fraction(nearest)) + error))


def _nash(gains: Sequence[Enclosed]) -> NashGap:
    # max() would overlook NaN.
    numbers = tuple(0.0 if gain.number < 0.0 else gain.number for gain in gains)
    uppers = tuple(_upper(gain) for gain in gains)
    return NashGap(float(np.max(numbers)), numbers, max(uppers), uppers)


def _upper(gap: Enclosed) -> float:
    """The least double that no true gap exceeds; infinite if nothing is known."""
    total = max(gap.number, 0.0) + gap.error
    if not math.isfinite(total):
        return math.inf
    return math.nextafter(total, math.inf) if gap.error > 0.0 else total


def _consistent(
    values: tuple[float, FloatArray, float], gap: Enclosed, gains: Sequence[Enclosed], allowance: float
) -> Gaps:
    """Numbers that agree with each other where each is right to some digits."""
    nash = _nash(gains)
    number, upper = 0.0 if gap.number < 0.0 else gap.number, _upper(gap)
    assert not any(gain.number - gain.error > upper for gain in gains), (
        "a deviation is better than the optimum"
    )
    # A deviation is a joint policy: what one agent gains is never more than the optimality gap.
    if number < nash.gap and not gap.decided and all(gain.decided for gain in gains):
        number = nash.gap
    return Gaps(*values, number, upper + allowance, nash.at_most(number, upper).allowing(allowance))
