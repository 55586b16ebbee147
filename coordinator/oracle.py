"""Exact evaluation of the agents' tables: the shared signal of the exact mode, and all measurements."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.constants import nash_threshold, optimality_threshold, sizes
from bnpg_math.dag import Dag
from bnpg_math.equilibrium import nash_gap
from bnpg_math.game import Game
from bnpg_math.gradient import flow
from bnpg_math.joint import joint_policy
from bnpg_math.objective import objective
from bnpg_math.optimum import optimal_value
from bnpg_math.stationarity import gradient_max, gradient_norm, gradients, path_norm
from bnpg_math.values import Values, evaluate


class Oracle:
    """Exact values of one game under the policies of one DAG.

    The evaluation of the latest tables is kept, so that measuring a round and signalling it cost one.

    Parameters
    ----------
    game : Game
    dag : Dag
    regularization : float
        lambda of the objective.
    """

    def __init__(self, game: Game, dag: Dag, regularization: float) -> None:
        self._game = game
        self._dag = dag
        self._regularization = regularization
        self._latest: tuple[Sequence[FloatArray], list[FloatArray], FloatArray, Values] | None = None

    @cached_property
    def optimal_value(self) -> float:
        """V*(mu), over all joint policies."""
        return float(self._game.initial @ optimal_value(self._game).V)

    def signal(self, log_tables: Sequence[FloatArray]) -> tuple[float, FloatArray]:
        """Return V(mu) and the tensor W(s, a) = d(s) pi(a|s) Q(s, a), read-only."""
        _, pi, values = self._evaluated(log_tables)
        W = flow(values.d, pi, values.Q)
        W.flags.writeable = False
        return values.value, W

    def measure(self, log_tables: Sequence[FloatArray]) -> dict[str, Any]:
        """Return the exact metrics of a policy: value, gaps, objective, gradient norm."""
        tables, _, values = self._evaluated(log_tables)
        grads = gradients(self._game, self._dag, tables, self._regularization, values)
        return {
            "value": values.value,
            "nash_gap": nash_gap(self._game, self._dag, tables, values).gap,
            "optimality_gap": max(self.optimal_value - values.value, 0.0),
            "objective": objective(values.value, log_tables, self._regularization),
            "gradient_norm": gradient_norm(grads),
        }

    def certifies(self, log_tables: Sequence[FloatArray], gap: str) -> bool:
        """Whether the gradient is small enough for the tight Lemma 2 (`nash`) or 3 (`optimality`).

        The gap is then at most lambda M. Within rounding of the threshold it is not certified.
        """
        tables, _, values = self._evaluated(log_tables)
        grads = gradients(self._game, self._dag, tables, self._regularization, values)
        size = sizes(self._game, self._dag)
        if gap == "optimality":
            reached, threshold = path_norm(grads, self._dag), optimality_threshold(size, self._regularization)
        else:
            reached, threshold = gradient_max(grads), nash_threshold(size, self._regularization)
        return reached <= threshold * (1.0 - 1e-9)

    def _evaluated(self, log_tables: Sequence[FloatArray]) -> tuple[list[FloatArray], FloatArray, Values]:
        if self._latest is None or self._latest[0] is not log_tables:
            tables = [np.exp(table) for table in log_tables]
            pi = joint_policy(tables, self._dag)
            self._latest = (log_tables, tables, pi, evaluate(self._game, pi))
        return self._latest[1:]
