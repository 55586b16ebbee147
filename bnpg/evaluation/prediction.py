"""How many rounds Theorems 1 and 2 ask for, beside those that a run needed."""

from typing import Any

from bnpg_math.dag import Dag
from bnpg_math.game import Game
from bnpg_math.rates import Rate, rates

Prediction = dict[str, dict[str, dict[str, Any]]]
"""By theorem and form: `rounds`, `epsilon`, `regularization`, `step_size`, `reason`."""

ASSUMED = "it speaks of exact updates from zeros at the certified learning rate"


def predicted_rounds(
    game: Game, dag: Dag, regularization: float, M: float | None, epsilon: float = 0.0
) -> Prediction | None:
    """Return T of both theorems in printed, corrected and tight form.

    Parameters
    ----------
    game : Game
    dag : Dag
    regularization : float
        lambda >= 0 of the run.
    M : float or None
        Mismatch coefficient; None if it is not known.
    epsilon : float
        The gap that was asked for. Every form then speaks of that gap, with the lambda it would choose
        itself, so that their rounds can be compared. With 0 every form speaks of the run's lambda and says
        which gap that certifies.

    Returns
    -------
    dict or None
        None if lambda is 0, of which the theorems say nothing.
    """
    if not regularization > 0.0:
        return None
    found: Prediction = {"theorem_1": {}, "theorem_2": {}}
    for first in rates(game, dag, regularization, M):
        weight, rate = regularization, first
        if epsilon > 0.0 and first.epsilon is not None:
            # What a lambda certifies is proportional to it, in every form.
            weight = regularization * (epsilon / first.epsilon)
            rate = _like(first, rates(game, dag, weight, M))
        found[rate.theorem][rate.form] = {
            "rounds": rate.rounds,
            "epsilon": rate.epsilon,
            "regularization": None if rate.rounds is None else weight,
            "step_size": rate.step_size,
            "reason": rate.reason,
        }
    return found


def _like(wanted: Rate, among: list[Rate]) -> Rate:
    return next(rate for rate in among if (rate.theorem, rate.form) == (wanted.theorem, wanted.form))


def prediction_in_words(prediction: Prediction, rounds: int, as_assumed: bool) -> list[str]:
    """Return a line for each theorem that applies.

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
        asked = [f"{row['rounds']:.3g} ({form})" for form, row in forms.items() if row["rounds"] is not None]
        if asked:
            caveat = "" if as_assumed else f"; {ASSUMED}"
            lines.append(
                f"Theorem {theorem[-1]} asks for {', '.join(asked)} rounds, this run made {rounds}{caveat}"
            )
    return lines
