"""Measuring a policy exactly: values, gaps, gradient, and what the paper's lemmas promise."""

import math
import os
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from bnpg.api.games import game as find_game
from bnpg_math.arrays import FloatArray
from bnpg_math.bounds import Bound, bounds
from bnpg_math.equilibrium import nash_gap
from bnpg_math.errors import InputError
from bnpg_math.game import Game
from bnpg_math.joint import joint_policy
from bnpg_math.mismatch import mismatch as mismatch_of
from bnpg_math.objective import objective
from bnpg_math.optimum import optimal_value
from bnpg_math.policy import log_policy
from bnpg_math.policy_file import Policy, check_policy, load_policy
from bnpg_math.stationarity import gradient_max, gradient_norm, gradients
from bnpg_math.values import evaluate as evaluate_joint


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
    nash_gap : float
        The most that one agent could gain on its own, Definition 1.
    nash_gap_per_agent : tuple of N float
    objective : float
        L_lambda: the value with the log barrier.
    gradient_norm, gradient_max : float
        Of the gradient of L_lambda: Euclidean, and its largest entry.
    gradients : tuple of N arrays (S, *P, A_i) float
        dL_lambda/dtheta^i.
    mismatch : float or None
        M; infinite if Assumption 1 fails; None unless asked for.
    bounds : tuple of Bound
        Lemmas 2, 3 and 4 in printed, corrected and tight form.
    """

    value: float
    value_per_state: FloatArray
    optimal_value: float
    optimality_gap: float
    nash_gap: float
    nash_gap_per_agent: tuple[float, ...]
    objective: float
    gradient_norm: float
    gradient_max: float
    gradients: tuple[FloatArray, ...]
    mismatch: float | None
    bounds: tuple[Bound, ...]


def evaluate(
    game: str | os.PathLike[str] | Game,
    policy: str | os.PathLike[str] | Policy,
    *,
    regularization: float = 0.0,
    mismatch: bool = False,
) -> Evaluation:
    """Measure a policy exactly.

    Parameters
    ----------
    game : str, path or Game
        As in :func:`bnpg.game`.
    policy : path or Policy
        A policy file, or a policy such as that of a :class:`bnpg.Run`.
    regularization : float
        Weight lambda >= 0 of the log barrier, in the objective, the gradient and the lemmas.
    mismatch : bool
        Whether to compute the mismatch coefficient M, twice S solved games; without it the lemmas have
        thresholds but no promises.

    Returns
    -------
    Evaluation

    Raises
    ------
    GameError, PolicyError
        One line: what cannot be read or does not fit.

    Examples
    --------
    A team that plays every action alike in the climbing game is far from any equilibrium:

    >>> import bnpg
    >>> run = bnpg.train("climbing", dag="empty", mode="exact", rounds=0, out="untrained")
    >>> measured = bnpg.evaluate("climbing", run.policy)
    >>> round(measured.value, 3), round(measured.nash_gap, 3), round(measured.optimality_gap, 3)
    (-3.444, 7.111, 14.444)
    """
    if not (math.isfinite(regularization) and regularization >= 0):
        raise InputError(f"regularization must be a finite number of at least 0, got {regularization}")
    played = find_game(game)
    candidate = policy if isinstance(policy, Policy) else load_policy(policy)
    check_policy(candidate, played)
    # One BLAS thread, as in runs: the number of threads may change the last bit of a sum.
    with threadpool_limits(limits=1):
        return _measure(played, candidate, float(regularization), mismatch)


def _measure(game: Game, policy: Policy, regularization: float, mismatch: bool) -> Evaluation:
    tables, dag = policy.tables, policy.dag
    values = evaluate_joint(game, joint_policy(tables, dag))
    grads = gradients(game, dag, tables, regularization, values)
    best = float(game.initial @ optimal_value(game).V)
    gap = max(best - values.value, 0.0)
    nash = nash_gap(game, dag, tables, values)
    M = mismatch_of(game).M if mismatch else None
    promises = bounds(game, dag, regularization, grads, nash_gap=nash.gap, optimality_gap=gap, M=M)
    return Evaluation(
        value=values.value,
        value_per_state=values.V,
        optimal_value=best,
        optimality_gap=gap,
        nash_gap=nash.gap,
        nash_gap_per_agent=nash.per_agent,
        objective=objective(values.value, [log_policy(theta) for theta in policy.thetas], regularization),
        gradient_norm=gradient_norm(grads),
        gradient_max=gradient_max(grads),
        gradients=tuple(grads),
        mismatch=M,
        bounds=tuple(promises),
    )
