"""The Nash gap (Definition 1) of a Bayesian-network policy, and the best responses it is made of."""

from collections.abc import Sequence

from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.exact.gauge import Gauge, NashGap
from bnpg_math.exact.response import BestResponse, best_response
from bnpg_math.exact.values import Values
from bnpg_math.games.game import Game

__all__ = ["BestResponse", "NashGap", "best_response", "nash_gap"]


def nash_gap(game: Game, dag: Dag, tables: Sequence[FloatArray], values: Values | None = None) -> NashGap:
    """Largest gain of a single agent's deviation (Definition 1), each agent's to about seven digits.

    Gains that doubles cannot tell from rounding are computed in integers, up to the size that
    :func:`bnpg_math.exact.fixed_point.is_affordable` says; beyond, on centred rewards.

    Parameters
    ----------
    game, dag, tables, values
        As in :func:`best_response`.

    Returns
    -------
    NashGap
    """
    return Gauge(game).nash(dag, tables, values)
