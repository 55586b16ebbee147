"""Lemmas 2, 3 and 4 evaluated at one policy: is the condition met, what is promised, what was measured.

The constants and their three forms are those of `constants`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.exact.coverage import Coverage
from bnpg_math.exact.rounding import SLACK
from bnpg_math.games.game import Game
from bnpg_math.theory.constants import (
    FORMS,
    Form,
    Sizes,
    nash_bound,
    nash_threshold,
    optimality_bound,
    optimality_threshold,
    sizes,
    smoothness,
    why_unbounded,
)
from bnpg_math.theory.stationarity import family_excess, gradient_norm, meets, path_excess


class Off(NamedTuple):
    """How far what is measured may be from the truth; a curvature may be too large by so much."""

    nash_gap: float = 0.0
    optimality_gap: float = 0.0
    curvature: float = 0.0


EXACT = Off()


@dataclass(frozen=True)
class Bound:
    """One statement in one form, evaluated at a policy. Numbers are finite or None, then `reason` says why.

    Parameters
    ----------
    lemma : str
        ``"lemma_2"``, ``"lemma_3"`` or ``"lemma_4"``.
    form : str
        ``"printed"``, ``"corrected"`` or ``"tight"``.
    norm : str
        How the gradient is measured: ``"l2"``, ``"family"`` (largest entry upwards, in proportion to the size
        of the agent's family), ``"path"`` (largest sum of upward entries along a joint action), or ``"none"``
        for Lemma 4, which has no condition.
    gradient : float or None
        The gradient in that norm.
    threshold : float or None
        What it must not exceed.
    met : bool or None
        Whether it does not, by more than rounding; False where the threshold is 0 or has underflowed.
    bound : float or None
        What the lemma promises of `measured`.
    measured : float or None
        The gap; for Lemma 4 a curvature, if one was measured.
    holds : bool or None
        Whether `measured` is at most `bound`, met or not; None where it is larger by no more than it may be
        off. Only ``met and not holds`` refutes a form.
    reason : str or None
        Why a number is missing, or `holds`.
    """

    lemma: str
    form: Form
    norm: str
    gradient: float | None
    threshold: float | None
    met: bool | None
    bound: float | None
    measured: float | None
    holds: bool | None
    reason: str | None

    @property
    def refuted(self) -> bool:
        """Whether the condition is met and the promise broken."""
        return self.met is True and self.holds is False


def bounds(
    game: Game,
    dag: Dag,
    regularization: float,
    grads: Sequence[FloatArray],
    *,
    nash_gap: float,
    optimality_gap: float,
    M: float | None = None,
    curvature: float | None = None,
    rounding: float = 0.0,
    covered: Coverage | None = None,
    off: Off = EXACT,
) -> list[Bound]:
    """Evaluate Lemmas 2, 3 and 4 at a policy, in all forms.

    Parameters
    ----------
    game : Game
        The game.
    dag : Dag
        Who conditions on whom.
    regularization : float
        lambda >= 0; with 0 the thresholds are 0, and no condition is met.
    grads : sequence of N arrays (S, *P, A_i) float
        dL_lambda/dtheta^i at the policy, from :func:`bnpg_math.theory.stationarity.gradients`.
    nash_gap, optimality_gap : float
        Measured at the policy.
    M : float, optional
        Mismatch coefficient; None if it was not computed, infinite if Assumption 1 fails.
    curvature : float, optional
        A measured second derivative of L_lambda along a unit direction, for Lemma 4.
    rounding : float
        Of the gradient, from :func:`bnpg_math.theory.stationarity.gradient_rounding`.
    covered : Coverage, optional
        The constants of the tight form; without them it has M, which is at least as large.
    off : Off
        How far what is measured may be from the truth.

    Returns
    -------
    list of 9 Bound
        Lemmas 2, 3, 4, each printed, corrected, tight.
    """
    size = sizes(game, dag)
    euclidean = ("l2", gradient_norm(grads))
    entrywise, pathwise = ("family", family_excess(grads)), ("path", path_excess(grads, dag))
    unbounded = why_unbounded(M)
    factor = None if unbounded else M
    tight = tight_bounds(size, regularization, factor, covered)
    reasons = {form: None if form == "tight" and tight is not None else unbounded for form in FORMS}

    def limit(lemma: int, form: Form) -> float | None:
        if form == "tight":
            return None if tight is None else tight[lemma - 2]
        if factor is None:
            return None
        if lemma == 2:
            return nash_bound(regularization, factor, form)
        return optimality_bound(size, regularization, factor, form)

    found = [
        _conditional(
            ("lemma_2", form),
            entrywise if form == "tight" else euclidean,
            nash_threshold(size, regularization, form),
            limit(2, form),
            (nash_gap, off.nash_gap),
            reasons[form],
            rounding,
        )
        for form in FORMS
    ]
    for form in FORMS:
        applies = size.complete
        found.append(
            _conditional(
                ("lemma_3", form),
                pathwise if form == "tight" else euclidean,
                optimality_threshold(size, regularization, form) if applies else None,
                limit(3, form) if applies else None,
                (optimality_gap, off.optimality_gap),
                reasons[form] if applies else "Lemma 3 speaks of complete DAGs only",
                rounding,
            )
        )
    for form in FORMS:
        beta = smoothness(size, regularization, form)
        unmeasured = "no curvature was measured" if curvature is None else None
        holds, why = obeys(curvature, beta, off.curvature)
        found.append(
            Bound("lemma_4", form, "none", None, None, True, beta, curvature, holds, unmeasured or why)
        )
    return found


def tight_bounds(
    size: Sizes, regularization: float, M: float | None, covered: Coverage | None
) -> tuple[float, float] | None:
    """What Lemmas 2' and 3' promise of the Nash gap and of the optimality gap; None if nothing.

    Parameters
    ----------
    size : Sizes
    regularization : float
        lambda >= 0.
    M : float or None
        Finite, or not known.
    covered : Coverage or None
        Of the policy, if it is known.

    Returns
    -------
    tuple of 2 float, or None
        ``lambda C_pi``, and the same or ``lambda (1/S) sum d*/d`` with what its policy misses, if that is
        less.
    """
    constants = [M] if M is not None else []
    if covered is not None and math.isfinite(covered.largest):
        # A condition that is met leaves this much to spare, which is more than what C_pi is rounded up by.
        constants.append(max(1.0, covered.largest * (1.0 - 0.5 * SLACK / size.joint)))
    if not constants:
        return None
    nash = regularization * min(constants)
    optimality = math.inf if covered is None else regularization * covered.optimal + covered.missed
    return nash, min(nash, optimality)


def _conditional(
    name: tuple[str, Form],
    measure: tuple[str, float],
    threshold: float | None,
    limit: float | None,
    measured: tuple[float, float],
    reason: str | None,
    rounding: float,
) -> Bound:
    met = None if threshold is None else meets(measure[1], threshold, rounding)
    holds, why = obeys(measured[0], limit, measured[1])
    return Bound(*name, *measure, threshold, met, limit, measured[0], holds, reason or why)


def obeys(measured: float | None, limit: float | None, off: float) -> tuple[bool | None, str | None]:
    """Whether what is measured is at most a limit, whatever the unit; or why that is not known.

    Parameters
    ----------
    measured, limit : float or None
    off : float
        How far what is measured may be from the truth; infinite if nothing is known.

    Returns
    -------
    holds : bool or None
    reason : str or None
        Where it is measured and still not known.
    """
    if measured is None or limit is None:
        return None, None
    if measured <= limit * (1.0 + SLACK):
        return True, None
    if measured - off > limit * (1.0 + SLACK):
        return False, None
    return None, f"it was measured to within {off:.2g} only, which does not tell whether it is at most this"
