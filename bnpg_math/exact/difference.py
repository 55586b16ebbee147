"""What one policy of a game is worth more than another, where doubles cannot tell it from rounding."""

from collections.abc import Sequence
from fractions import Fraction

from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.exact.fixed_point import FixedPoint, bits_for
from bnpg_math.exact.integers import as_float, upwards
from bnpg_math.exact.rounding import Enclosed
from bnpg_math.games.game import Game

Joint = tuple[Dag, Sequence[FloatArray]]
"""A graph, and pi^i of every agent, (S, *P, A_i)."""


def difference_in_integers(game: Game, first: Joint, second: Joint) -> Enclosed:
    """Return V(mu) of the first policy less that of the second.

    Parameters
    ----------
    game : Game
        Small enough for :func:`bnpg_math.exact.fixed_point.is_affordable`.
    first, second : (Dag, tables)

    Returns
    -------
    Enclosed
        The error is all that rounding, of rows of the tables to integers too, may have moved.
    """
    exact = FixedPoint(game, bits=max(bits_for(first[1]), bits_for(second[1])))
    policies = [exact.policy(tables, dag) for dag, tables in (first, second)]
    one, other = (policy.evaluate() for policy in policies)
    number = exact.at_start(one.x - other.x) * exact.unit
    either = max(one.high - other.low, other.high - one.low)
    error = (either + sum((policy.uncertainty() for policy in policies), Fraction(0))) * exact.unit
    nearest = as_float(number)
    return Enclosed(nearest, upwards(abs(number - Fraction(nearest)) + error))
