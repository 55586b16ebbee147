"""What uniform policies leave to gain, and what an optimal one visits: constants of Theorems 1, 2 and D1.

A difference of two values in doubles may be nothing but rounding where rewards are large beside their
differences. So what can be gained is a gap that is enclosed, and which policy is best is decided on centred
rewards.
"""

from fractions import Fraction

import numpy as np

from bnpg_math.dag import empty
from bnpg_math.exact.coverage import visits
from bnpg_math.exact.gauge import Gauge
from bnpg_math.exact.integers import upwards
from bnpg_math.exact.mismatch import Mismatch
from bnpg_math.games.game import Game


def range_at_most(game: Game) -> float:
    """R / (1 - gamma), by which no two returns differ by more: not below its true value.

    Parameters
    ----------
    game : Game
    """
    spread = Fraction(float(game.reward.max())) - Fraction(float(game.reward.min()))
    return upwards(spread / (1 - Fraction(game.gamma)))


def room_at_most(gauge: Gauge) -> float:
    """An upper bound of V*(mu) - V(mu) of the uniform policies, theta = 0: rounding included.

    Parameters
    ----------
    gauge : Gauge
        Of the game.

    Returns
    -------
    float
        At least 0; infinite where doubles overflow and integers are too expensive.
    """
    game = gauge.game
    uniform = [np.full((game.states, count), 1.0 / count) for count in game.actions]
    return gauge.gaps(empty(game.agents), uniform, each_agent=False).optimality_gap_upper


def optimal_coverage(gauge: Gauge, found: Mismatch) -> float:
    """C*, for the best policy that doubles find on centred rewards.

    Parameters
    ----------
    gauge : Gauge
        Of the game.
    found : Mismatch
        Of the same game.

    Returns
    -------
    float
        As :meth:`Mismatch.of_optimal`.
    """
    chain = gauge.game.transition.under_choice(gauge.centred.best_in_doubles[0].choice)
    return found.of_optimal(visits(gauge.game, chain, 0.0)[0])
