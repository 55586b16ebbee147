"""How many rounds Theorems 1 and 2, and Theorem B, ask for, beside those that a run needed."""

import math
from typing import Any

from bnpg.certified.words import rounded_up
from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.dag import Dag
from bnpg_math.games.game import Game
from bnpg_math.theory.global_optimality import natural_rounds
from bnpg_math.theory.rates import Rate, RateConstants, rates

Prediction = dict[str, dict[str, dict[str, Any]]]
"""By theorem and form: `rounds`, `epsilon`, `regularization`, `step_size`, `reason`."""

ASSUMED = "it speaks of exact gradient updates from zeros with certified or chosen step sizes"
_GAPS = {"theorem_1": "a Nash gap", "theorem_2": "an optimality gap", "theorem_b": "an optimality gap"}
_SHARE = 0.02
"""Of the range of returns: the gap that Theorem B is asked about, as nobody chose one."""


def predicted_rounds(
    game: Game,
    dag: Dag,
    regularization: float,
    M: float | None,
    epsilon: float | None = None,
    constants: RateConstants | None = None,
) -> Prediction | None:
    """Return T of both theorems in printed, corrected and tight form, all for the same gap.

    Every form is given the lambda that it would choose for that gap, so that their rounds can be compared.
    Where M is infinite or unknown no gap is certified: then all forms have the run's lambda, and `epsilon` is
    None with a reason.

    Parameters
    ----------
    game : Game
    dag : Dag
    regularization : float
        lambda >= 0 of the run.
    M : float or None
        Mismatch coefficient; None if it is not known.
    epsilon : float, optional
        The gap that was asked for; lambda M if left out.
    constants : RateConstants, optional
        Of the tight form.

    Returns
    -------
    dict or None
        None if lambda is 0, of which the theorems say nothing, or so small that T exceeds all numbers.
    """
    if not regularization > 0.0:
        return None
    try:
        return _predicted(game, dag, regularization, M, epsilon, constants)
    except (OverflowError, ZeroDivisionError):
        return None


def natural_prediction(game: Game, eta: float) -> Prediction:
    """Return T of Theorem B, for an optimality gap of 2 % of the range of returns.

    It speaks of natural updates with any fixed step, from zeros, without a barrier, on the complete DAG or
    where the game is additive over a perfect one.

    Parameters
    ----------
    game : Game
    eta : float
        The step size.

    Returns
    -------
    dict
        With `theorem_b` alone, in its only form.
    """
    epsilon = _SHARE * game.reward_range / (1.0 - game.gamma)
    rounds = None
    if epsilon > 0.0:
        rounds = natural_rounds(game.agents, game.joint_actions, game.reward_range, game.gamma, eta, epsilon)
    row = {
        "rounds": rounds,
        "epsilon": epsilon,
        "regularization": 0.0,
        "step_size": eta,
        "reason": None if rounds is not None else "all rewards are equal",
    }
    return {"theorem_b": {"tight": finite_fields(row)}}


def _predicted(
    game: Game,
    dag: Dag,
    regularization: float,
    M: float | None,
    epsilon: float | None,
    constants: RateConstants | None,
) -> Prediction:
    goal = epsilon
    if goal is None and M is not None and math.isfinite(M):
        goal = regularization * M
    found: Prediction = {"theorem_1": {}, "theorem_2": {}}
    for first in rates(game, dag, regularization, M, constants):
        weight, rate = regularization, first
        if goal is not None and first.epsilon is not None:
            # What a lambda certifies is proportional to it, in every form.
            weight = regularization * (goal / first.epsilon)
            rate = _like(first, rates(game, dag, weight, M, constants))
        found[rate.theorem][rate.form] = finite_fields(
            {
                "rounds": rate.rounds,
                "epsilon": rate.epsilon,
                "regularization": None if rate.rounds is None else weight,
                "step_size": rate.step_size,
                "reason": rate.reason,
            }
        )
    return found


def _like(wanted: Rate, among: list[Rate]) -> Rate:
    return next(rate for rate in among if (rate.theorem, rate.form) == (wanted.theorem, wanted.form))


def prediction_in_words(prediction: Prediction, rounds: int, as_assumed: bool) -> list[str]:
    """Return a line for each theorem that promises something.

    Parameters
    ----------
    prediction : dict
    rounds : int
        How many the run made.
    as_assumed : bool
        Whether the run began and stepped as the theorems assume.
    """
    lines = []
    for theorem, forms in prediction.items():
        promises = {
            form: row for form, row in forms.items() if None not in (row.get("epsilon"), row.get("rounds"))
        }
        if promises and theorem in _GAPS:
            gap = f"{_GAPS[theorem]} of {rounded_up(next(iter(promises.values()))['epsilon'])}"
            asked = ", ".join(f"{rounded_up(row['rounds'], 3)} ({form})" for form, row in promises.items())
            caveat = "" if as_assumed else f"; {ASSUMED}"
            lines.append(
                f"for {gap} Theorem {theorem[-1].upper()} asks for {asked} rounds, "
                f"this run made {rounds}{caveat}"
            )
    return lines
