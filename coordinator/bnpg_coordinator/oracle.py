"""Exact evaluation of the agents' tables: the shared signal of the exact mode, and all measurements."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.gauge import Gauge
from bnpg_math.exact.values import Values, evaluate, state_values
from bnpg_math.games.game import Game
from bnpg_math.learning.advantages import local_advantages
from bnpg_math.learning.direct import direct_gradients
from bnpg_math.learning.gradient import flow, local_flows
from bnpg_math.learning.natural import natural_direction, side_by_side
from bnpg_math.learning.objective import objective
from bnpg_math.learning.regularization import Regularization, per_agent
from bnpg_math.learning.step_size import inner
from bnpg_math.policies.softmax import log_policy
from bnpg_math.theory.bounds import tight_bounds
from bnpg_math.theory.constants import nash_threshold, optimality_threshold, sizes
from bnpg_math.theory.stationarity import (
    family_excess,
    gradient_norm,
    gradient_rounding,
    gradients,
    meets,
    path_excess,
)
from bnpg_math.theory.weighted_bound import edges_price, weighted_bound


@dataclass(frozen=True)
class Climb:
    """A point of the objective, and the way the agents will take from it.

    Parameters
    ----------
    oracle : Oracle
    log_tables : sequence of N arrays (S, *P, A_i) float
        log pi^i there.
    objective : float
        L_lambda there.
    gradient, direction : lists of N arrays (S, *P, A_i) float
        dL_lambda/dtheta^i, and what is added to theta^i, up to the step size.
    """

    oracle: "Oracle"
    log_tables: Sequence[FloatArray]
    objective: float
    gradient: list[FloatArray]
    direction: list[FloatArray]

    @cached_property
    def slope(self) -> float:
        """Derivative of the objective along the direction, at least 0 up to rounding."""
        return inner(self.gradient, self.direction)

    def objective_after(self, eta: float) -> float:
        """Return the objective after a step of this size."""
        return self.oracle.objective(self._moved(eta))

    def gradient_after(self, eta: float) -> list[FloatArray]:
        """Return the gradient after a step of this size."""
        return self.oracle.gradients([np.exp(table) for table in self._moved(eta)])

    def _moved(self, eta: float) -> list[FloatArray]:
        # A table's logarithm differs from its theta by a constant a row, which no softmax sees.
        pairs = zip(self.log_tables, self.direction, strict=True)
        return [log_policy(table + eta * step) for table, step in pairs]


class Oracle:
    """Exact values of one game under the policies of one DAG.

    What is called `log_tables` is what the agents show. The evaluation of the latest tables is kept, so that
    measuring a round and signalling it cost one.

    Parameters
    ----------
    game : Game
    dag : Dag
    regularization : float or tuple of N float
        lambda of the objective, of everybody or of each.
    direct : bool
        Whether agents show their probabilities instead of the logarithms of them.
    """

    def __init__(self, game: Game, dag: Dag, regularization: Regularization, direct: bool = False) -> None:
        self._game = game
        self._dag = dag
        self._regularization = regularization
        self._direct = direct
        self._gauge = Gauge(game)
        self._latest: tuple[Sequence[FloatArray], list[FloatArray], FloatArray, Values] | None = None
        self._latest_natural: tuple[Sequence[FloatArray], list[FloatArray], list[FloatArray]] | None = None

    @property
    def optimal_value(self) -> float:
        """V*(mu), over all joint policies."""
        return self._gauge.optimal_value

    @cached_property
    def _edges_price(self) -> float:
        """The most that the DAG's missing edges cost."""
        return edges_price(self._game, self._dag)

    def signal(self, log_tables: Sequence[FloatArray]) -> tuple[float, FloatArray]:
        """Return V(mu) and the tensor W(s, a) = d(s) pi(a|s) Q(s, a), read-only."""
        _, pi, values = self._evaluated(log_tables)
        W = flow(values.d, pi, values.Q)
        W.flags.writeable = False
        return values.value, W

    def natural_signal(
        self, log_tables: Sequence[FloatArray]
    ) -> tuple[FloatArray, FloatArray, tuple[int, ...]]:
        """Return A^i and d(s) pi(aP, ai|s) of all agents side by side, and where each agent's begin."""
        advantages, visits = self._natural(log_tables)
        joined, starts = side_by_side(advantages)
        return joined, side_by_side(visits)[0], starts

    def direct_signal(self, tables: Sequence[FloatArray]) -> tuple[float, FloatArray, tuple[int, ...]]:
        """Return V(mu), dV/dpi^i of all agents side by side, and where each agent's begins."""
        _, _, values = self._evaluated(tables)
        joined, starts = side_by_side(direct_gradients(values.d, tables, values.Q, self._dag))
        return values.value, joined, starts

    def objective(self, log_tables: Sequence[FloatArray]) -> float:
        """Return L_lambda, and nothing else."""
        pi = joint_policy([np.exp(table) for table in log_tables], self._dag)
        value = float(self._game.initial @ state_values(self._game, pi))
        return objective(value, log_tables, self._regularization)

    def gradients(self, tables: Sequence[FloatArray]) -> list[FloatArray]:
        """Return dL_lambda/dtheta^i of every agent."""
        return gradients(self._game, self._dag, tables, self._regularization)

    def climb(self, log_tables: Sequence[FloatArray], natural: bool) -> Climb:
        """Return where the agents stand and which way they go: along the gradient, or the natural one."""
        tables, _, values = self._evaluated(log_tables)
        height = objective(values.value, log_tables, self._regularization)
        grads = gradients(self._game, self._dag, tables, self._regularization, values)
        if not natural:
            return Climb(self, log_tables, height, grads, grads)
        directions = [
            natural_direction(advantage, table, visit, weight)
            for advantage, visit, table, weight in zip(
                *self._natural(log_tables),
                tables,
                per_agent(self._regularization, self._dag.agents),
                strict=True,
            )
        ]
        return Climb(self, log_tables, height, grads, directions)

    def measure(self, log_tables: Sequence[FloatArray]) -> dict[str, Any]:
        """Return the exact metrics of a policy: value, gaps, objective, gradient norm."""
        tables, _, values = self._evaluated(log_tables)
        grads = gradients(self._game, self._dag, tables, self._regularization, values)
        gaps = self._gauge.gaps(self._dag, tables, values, each_agent=False)
        return {
            "value": gaps.value,
            "nash_gap": gaps.nash.gap,
            "optimality_gap": gaps.optimality_gap,
            "objective": objective(gaps.value, log_tables, self._regularization),
            "gradient_norm": gradient_norm(grads),
        }

    def certifies(self, log_tables: Sequence[FloatArray], gap: str, epsilon: float) -> bool:
        """Whether the tight Lemma 2 (`nash`) or 3 (`optimality`) promises a gap of at most epsilon.

        The gradient must be small enough, by more than rounding, and lambda C_pi at most epsilon. With a
        weighted barrier Theorem D1 is asked, which bounds the optimality gap, and so any agent's gain.
        """
        tables, _, values = self._evaluated(log_tables)
        grads = gradients(self._game, self._dag, tables, self._regularization, values)
        size, regularization = sizes(self._game, self._dag), self._regularization
        if isinstance(regularization, tuple):
            rounding = gradient_rounding(self._game, values)
            best = self._gauge.best_in_doubles[0]
            bound = weighted_bound(
                self._game, self._dag, regularization, grads,
                price=self._edges_price, rounding=rounding, covered=coverage(self._game, values.pi, best),
            )  # fmt: skip
            return bool(bound.met and bound.bound is not None and bound.bound <= epsilon)
        if gap == "optimality":
            reached, threshold = path_excess(grads, self._dag), optimality_threshold(size, regularization)
        else:
            reached, threshold = family_excess(grads), nash_threshold(size, regularization)
        if not meets(reached, threshold, gradient_rounding(self._game, values)):
            return False
        covered = coverage(self._game, values.pi, self._gauge.best_in_doubles[0])
        promised = tight_bounds(size, regularization, None, covered)
        return promised is not None and bool(promised[gap == "optimality"] <= epsilon)

    def _natural(self, log_tables: Sequence[FloatArray]) -> tuple[list[FloatArray], list[FloatArray]]:
        """Return A^i and d(s) pi(aP, ai|s) of every agent."""
        if self._latest_natural is None or self._latest_natural[0] is not log_tables:
            _, pi, values = self._evaluated(log_tables)
            visits = local_flows(flow(values.d, pi, np.ones_like(pi)), self._dag.families)
            advantages = local_advantages(values.Q, log_tables, self._dag)
            self._latest_natural = (log_tables, advantages, visits)
        return self._latest_natural[1:]

    def _evaluated(self, log_tables: Sequence[FloatArray]) -> tuple[list[FloatArray], FloatArray, Values]:
        if self._latest is None or self._latest[0] is not log_tables:
            tables = list(log_tables) if self._direct else [np.exp(table) for table in log_tables]
            pi = joint_policy(tables, self._dag)
            self._latest = (log_tables, tables, pi, evaluate(self._game, pi))
        return self._latest[1:]
