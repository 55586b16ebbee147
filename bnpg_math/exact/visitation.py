"""Largest and smallest visitation of a state over all joint policies, relatively accurate.

Rewards are 1 in one state and 0 elsewhere, so values are sums of non-negative terms, and the matrix I -
gamma P is one whose factorisation subtracts on the diagonal alone: each value is right to its own size,
however small beside others. Hence actions are compared relatively. With |T V - V| <= delta V in every state,
the optimum is within delta w of V, w being the optimal value of the game that pays V. Where that is not
small beside the result, as with gamma next to 1, the game is solved in integers.
"""

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.fixed_point import GUARD, FixedPoint, is_affordable
from bnpg_math.exact.integers import as_float, upwards
from bnpg_math.exact.rounding import UNIT, Enclosed, row_defects
from bnpg_math.exact.values import eliminate
from bnpg_math.games.game import Game

_RELATIVE = 1e-7
"""Relative error up to which a visitation in doubles is taken."""
_ROUNDS = 200
_FINEST = 4000


def entrywise(game: Game, off: float) -> float:
    """By which factor visitations, or sums of them, may be too small where their equation is off a little.

    I - gamma P has the entries -gamma P off the diagonal and the row sums 1 - gamma. By the matrix tree
    theorem entries of its inverse are ratios of sums of products of these numbers, of at most S factors,
    without a minus sign. So where the equation is off by eps, relatively, a solution is by at most ((1 + h) /
    (1 - h))^(S + 1) with h = eps / (1 - gamma), in every entry, however small.

    Parameters
    ----------
    game : Game
    off : float
        eps.

    Returns
    -------
    float
        At least 1; infinite where that says nothing.
    """
    h = off / (1.0 - game.gamma)
    if not h * (game.states + 1) < 0.1:
        return np.inf
    return float(((1.0 + h) / (1.0 - h)) ** (game.states + 1) * (1.0 + 4.0 * (game.states + 8) * UNIT))


class Visitations:
    """Extreme visitations of one game.

    Parameters
    ----------
    game : Game
        Its reward is not looked at.
    """

    def __init__(self, game: Game) -> None:
        self._game = game
        self._affordable = is_affordable(game)
        operations = game.states + 8
        self._rounding = 4.0 * operations * UNIT + row_defects(game)[0]

    def extreme(self, state: int, sign: float) -> Enclosed:
        """Largest (sign +1) or smallest (sign -1) visitation of one state over all joint policies.

        Parameters
        ----------
        state : int
            Whose visitation; for the smallest one, of a state that no policy avoids.
        sign : float
            1.0 or -1.0.

        Returns
        -------
        Enclosed
            Unnormalised, in [0, 1/(1 - gamma)]; the error is that of the number.
        """
        game = self._game
        indicator = np.zeros(game.states)
        indicator[state] = 1.0
        # Going straight for (or away from) the state is nearly optimal: policy iteration needs a step or two.
        start = (sign * game.transition.expectation(indicator)).reshape(game.states, -1).argmax(axis=1)
        V, choice, off = self._iterate(indicator, sign, start)
        number = float(game.initial @ V)
        mixing = (2.0 * game.states * UNIT + row_defects(game)[1]) * number
        # Any policy collects V for 1/(1 - gamma) steps at the most.
        error = off * float(V.max()) / (1.0 - game.gamma) * (1.0 + 1e-9) + mixing
        if not error <= _RELATIVE * number:
            further, _, left = self._iterate(V, 1.0, choice)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                share = np.where(further > 0.0, left * further / V, 0.0)
            if share.max() <= 0.5:
                # What w is off by is less than half of what V pays: twice w is enough.
                error = min(error, 2.0 * off * float(game.initial @ further) + mixing)
        if (number > 0.0 and error <= _RELATIVE * number) or not self._affordable:
            return Enclosed(number, error if np.isfinite(error) else np.inf)
        return self._precisely(indicator, sign, choice)

    def collected(self, pays: FloatArray) -> float:
        """The most that a joint policy collects where states pay, not below the true number.

        Parameters
        ----------
        pays : (S,) float
            At least 0; 0 in states that no policy visits.

        Returns
        -------
        float
            Infinite where doubles cannot tell.
        """
        game = self._game
        start = game.transition.expectation(pays).reshape(game.states, -1).argmax(axis=1)
        V, _, off = self._iterate(pays, 1.0, start)
        # T V <= (1 + off) V: no policy collects more than V at a discount of gamma / (1 + off) accounts for.
        number = float(game.initial @ V) * (1.0 + 2.0 * game.states * UNIT + row_defects(game)[1])
        return number * entrywise(game, off)

    def _iterate(
        self, pays: FloatArray, sign: float, choice: NDArray[np.intp]
    ) -> tuple[FloatArray, NDArray[np.intp], float]:
        """Policy iteration with relative comparisons; the last number is |T V - V| / V, rounding included."""
        game, states = self._game, np.arange(self._game.states)
        for _ in range(_ROUNDS):
            V = np.maximum(eliminate(game.transition.under_choice(choice), game.gamma)(pays), 0.0)
            expected = game.gamma * game.transition.expectation(V).reshape(game.states, -1)
            Q = pays[:, None] + expected
            best = (sign * Q).argmax(axis=1)
            own, wanted = Q[states, choice], Q[states, best]
            improves = sign * (wanted - own) > self._rounding * own
            if not improves.any():
                break
            choice = np.where(improves, best, choice)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            off = np.abs(np.stack([wanted, own]) - V) / V
        # 0 / 0: the state cannot be reached from there.
        off[:, (V == 0.0) & (own == 0.0) & (wanted == 0.0)] = 0.0
        return V, choice, float(off.max()) * (1.0 + 1e-9) + self._rounding

    def _precisely(self, indicator: FloatArray, sign: float, start: NDArray[np.intp]) -> Enclosed:
        """The same in integers, of ever more binary places until the result stands out."""
        game = self._game
        shape = (game.states, *(1,) * game.agents)
        reward = np.broadcast_to((sign * indicator).reshape(shape), (game.states, *game.actions))
        bits = GUARD
        while True:
            exact = FixedPoint(game, reward, bits)
            solved = exact.optimum(start)
            units = exact.at_start(solved.x)
            number = abs(exact.value(units))
            error = (max(solved.above, -solved.low) + exact.uncertainty()) * exact.unit
            if error * 2**40 <= number or bits > _FINEST:
                nearest = as_float(number)
                return Enclosed(nearest, upwards(abs(number - type(number)(nearest)) + error))
            bits *= 2
