"""Measuring a policy exactly: values, gaps, gradient, and what the paper's lemmas promise.

The same functions in the same order as a run's own measurements: the numbers of a saved policy are those of
the run's last line, bit for bit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnpg.evaluation.effort import is_coverage_affordable
from bnpg.evaluation.room import optimal_coverage, room_at_most
from bnpg.one_thread import one_thread
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag
from bnpg_math.dag.perfect import is_perfect
from bnpg_math.errors import GameError
from bnpg_math.exact.coverage import Coverage, coverage
from bnpg_math.exact.gauge import Gaps, Gauge
from bnpg_math.exact.mismatch import Mismatch
from bnpg_math.exact.mismatch import mismatch as mismatch_of
from bnpg_math.exact.rounding import softmax_rounding, sum_upwards
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game
from bnpg_math.html_table import facts
from bnpg_math.learning.objective import objective
from bnpg_math.learning.regularization import Regularization
from bnpg_math.policies.joint import Policy
from bnpg_math.policies.softmax import log_policy
from bnpg_math.theory.bounds import Bound, Off, bounds
from bnpg_math.theory.curvature import curvature, curvature_rounding
from bnpg_math.theory.rates import RateConstants
from bnpg_math.theory.stationarity import gradient_max, gradient_norm, gradient_rounding, gradients
from bnpg_math.theory.weighted_bound import edges_price, weighted_bound

_WIDTH = 1e-4
"""Of the difference of gradients that tells the curvature."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A policy, measured. Names and meanings are those of ``bnpg evaluate --json``.

    Parameters
    ----------
    value : float
        V(mu), the expected return.
    value_per_state : (S,) float
    optimal_value : float
        V*(mu), of the best joint policy.
    optimality_gap : float
        V* - V, Definition 2.
    optimality_gap_upper : float
        The true optimality gap is at most this, whatever was rounded.
    nash_gap : float
        The most that one agent could gain on its own, Definition 1.
    nash_gap_upper : float
        The true Nash gap is at most this, whatever was rounded.
    nash_gap_per_agent, nash_gap_upper_per_agent : tuples of N float
    objective : float
        L_lambda: the value with the log barrier.
    gradient_norm, gradient_max : float
        Of the gradient of L_lambda: Euclidean, and its largest entry.
    gradients : tuple of N arrays (S, *P, A_i) float
        dL_lambda/dtheta^i.
    mismatch : float or None
        M; infinite if Assumption 1 fails; None unless asked for.
    mismatch_reason : str or None
        Why M is infinite, naming the state that causes it.
    coverage : float or None
        C_pi of the tight Lemmas 2 and 3, at least its true value and at most M; None in games where it is
        expensive and M was not asked for.
    rate_constants : RateConstants or None
        Of the tight Theorems 1 and 2; None unless M was computed.
    bounds : tuple of Bound
        Lemmas 2, 3 and 4 in printed, corrected and tight form; with a weighted barrier Theorem D1 alone. What
        is measured for Lemma 4 is the curvature along the gradient, the direction of the next update.
    """

    value: float
    value_per_state: FloatArray
    optimal_value: float
    optimality_gap: float
    optimality_gap_upper: float
    nash_gap: float
    nash_gap_upper: float
    nash_gap_per_agent: tuple[float, ...]
    nash_gap_upper_per_agent: tuple[float, ...]
    objective: float
    gradient_norm: float
    gradient_max: float
    gradients: tuple[FloatArray, ...]
    mismatch: float | None
    mismatch_reason: str | None
    coverage: float | None
    rate_constants: RateConstants | None
    bounds: tuple[Bound, ...]

    def __repr__(self) -> str:
        return (
            f"<Evaluation: value {self.value:.6g} of {self.optimal_value:.6g}, optimality gap "
            f"{self.optimality_gap:.4g}, Nash gap {self.nash_gap:.4g}>"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        names = ("value", "optimal_value", "optimality_gap", "nash_gap", "objective", "gradient_norm")
        return facts("Evaluation", {name.replace("_", " "): getattr(self, name) for name in names})


@one_thread()  # as in runs
def measure(
    game: Game,
    policy: Policy,
    regularization: Regularization,
    mismatch: bool = False,
    progress: Callable[[int, int], None] | None = None,
    cover: bool = False,
) -> Evaluation:
    """Measure a policy that fits its game.

    Parameters
    ----------
    game : Game
    policy : Policy
    regularization : float or tuple of N float
        lambda >= 0, of everybody or of each. The lemmas speak of one lambda: otherwise there is the bound of
        Theorem D1 alone, where the DAG is perfect.
    mismatch : bool
        Whether to compute M, twice S solved games.
    progress : callable, optional
        Called with (states done, S) meanwhile.
    cover : bool
        Whether to compute C_pi even where that is expensive.

    Returns
    -------
    Evaluation
    """
    tables, dag = policy.tables, policy.dag
    values = evaluate(game, joint_policy(tables, dag))
    grads = gradients(game, dag, tables, regularization, values)
    gauge = Gauge(game)
    gaps = gauge.gaps(dag, tables, values, off=softmax_rounding(tables))
    nash = gaps.nash
    found = mismatch_of(game, progress) if mismatch else None
    M = None if found is None else found.M
    covered = None
    if mismatch or cover or is_coverage_affordable(game):
        covered = coverage(game, values.pi, gauge.best_in_doubles[0])
    rounding = gradient_rounding(game, values)
    if isinstance(regularization, tuple):
        promises = _weighted(game, dag, regularization, grads, gaps, rounding, M, covered)
    else:
        promises = bounds(
            game,
            dag,
            regularization,
            grads,
            nash_gap=nash.gap,
            optimality_gap=gaps.optimality_gap,
            M=M,
            curvature=_curvature(game, policy, grads, regularization),
            rounding=rounding,
            covered=covered,
            off=Off(*_off(gaps), curvature_rounding(grads, rounding, _WIDTH)),
        )
    constants = None if found is None else _rate_constants(gauge, found)
    return Evaluation(
        value=gaps.value,
        value_per_state=gaps.value_per_state,
        optimal_value=gaps.optimal_value,
        optimality_gap=gaps.optimality_gap,
        optimality_gap_upper=gaps.optimality_gap_upper,
        nash_gap=nash.gap,
        nash_gap_upper=nash.upper,
        nash_gap_per_agent=nash.per_agent,
        nash_gap_upper_per_agent=nash.upper_per_agent,
        objective=objective(gaps.value, [log_policy(theta) for theta in policy.thetas], regularization),
        gradient_norm=gradient_norm(grads),
        gradient_max=gradient_max(grads),
        gradients=tuple(grads),
        mismatch=M,
        mismatch_reason=None if found is None else found.reason,
        coverage=_smallest(covered, M),
        rate_constants=constants,
        bounds=tuple(promises),
    )


def _weighted(
    game: Game,
    dag: Dag,
    weights: tuple[float, ...],
    grads: Sequence[FloatArray],
    gaps: Gaps,
    rounding: float,
    M: float | None,
    covered: Coverage | None,
) -> list[Bound]:
    """Return what Theorem D1 says, where it speaks of the DAG and the game is not too large to look at."""
    if not is_perfect(dag):
        return []
    try:
        price = edges_price(game, dag)
    except GameError:
        return []
    found = weighted_bound(
        game, dag, weights, grads,
        price=price, rounding=rounding, optimality_gap=gaps.optimality_gap, off=_off(gaps)[1], M=M,
        covered=covered,
    )  # fmt: skip
    return [found]


def _off(gaps: Gaps) -> tuple[float, float]:
    """How far the Nash gap and the optimality gap may be from the true ones."""
    return (
        sum_upwards(gaps.nash.upper, -gaps.nash.gap),
        sum_upwards(gaps.optimality_gap_upper, -gaps.optimality_gap),
    )


def _smallest(covered: Coverage | None, M: float | None) -> float | None:
    """Return C_pi, or M where that is the smaller bound of it; None if neither is finite."""
    known = [number for number in (covered and covered.largest, M) if number is not None]
    return min(number for number in known) if known and math.isfinite(min(known)) else None


def _rate_constants(gauge: Gauge, found: Mismatch) -> RateConstants:
    """Return what Theorems 1' and 2' ask of a game: of updates that begin with uniform policies."""
    return RateConstants(found.mean, optimal_coverage(gauge, found), room_at_most(gauge))


def _curvature(
    game: Game, policy: Policy, grads: Sequence[FloatArray], regularization: float
) -> float | None:
    """Measure how L_lambda bends where the next update goes; None at a stationary point."""
    if gradient_norm(grads) == 0.0:
        return None
    found = curvature(game, policy.dag, policy.thetas, grads, regularization, width=_WIDTH)
    return found if math.isfinite(found) else None
