"""How a run went, in plain words: saturated, stuck where no agent alone can gain, still rising, or worse.

It is read off the evaluations in the record. A gap counts as large beside the range of returns, R/(1-gamma):
what is far in one game is rounding in another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import Line, number

LARGE = 0.02
"""Of the range of returns: a gap that is worth a word. A constant in the rewards moves V*, but not this."""
SATURATED = 1e-3
"""Gradient norm over Nash gap at the most: what would be gained has about this probability of being tried."""
RISING = 0.1
"""Of the optimality gap at the end: a gain in the last half of the rounds that says it is not over."""


@dataclass(frozen=True)
class Measured:
    """An evaluation."""

    round: int
    value: float
    nash_gap: float
    optimality_gap: float
    gradient_norm: float


def evaluations(lines: Sequence[Line]) -> list[Measured]:
    """Return those lines of a record that have all that is looked at."""
    found = []
    for line in lines:
        numbers = [number(getattr(line, key)) for key in Measured.__dataclass_fields__ if key != "round"]
        known = [number for number in numbers if number is not None]
        if len(known) == len(numbers):
            found.append(Measured(line.round, *known))
    return found


def is_far(gap: float, unit: float) -> bool:
    """Whether a gap is large beside the range of returns."""
    return gap > LARGE * unit


def notices(experiment: Experiment, lines: Sequence[Line], unit: float) -> list[str]:
    """Return what is to be said of how a run went; nothing where it went well.

    Parameters
    ----------
    experiment : Experiment
    lines : sequence of Line
        The record.
    unit : float
        Range of the returns, R/(1-gamma).

    Returns
    -------
    list of str
        A sentence each, the most important first.
    """
    measured = evaluations(lines)
    if not measured or experiment.regularization > 0.0:
        return []  # a barrier keeps policies from where the gap is 0, and says by how much
    first, last = measured[0], measured[-1]
    if not is_far(last.optimality_gap, unit) and not is_far(last.nash_gap, unit):
        return []
    reasons = []
    if last.value < first.value - LARGE * unit:
        reasons.append(
            f"the team is worse than it began: {last.value:.4g} after {last.round} rounds, "
            f"{first.value:.4g} after {first.round}"
        )
    since = _saturated_since(measured)
    half = [line for line in measured if line is first or line.round <= last.round // 2][-1]
    if since is not None:
        reasons.append(
            f"policies are saturated since round {since}, far from an optimum: they do not try any more what "
            f"would be better. {_smaller(experiment)}"
        )
    elif len(measured) > 1 and last.value - half.value > RISING * last.optimality_gap:
        reasons.append(f"the value was still rising: give it more rounds than {experiment.rounds} (--rounds)")
    elif not is_far(last.nash_gap, unit):
        edges = (
            "" if experiment.dag == "complete" else "; more edges (--dag complete) let agents move together"
        )
        reasons.append(
            "the team is stuck where hardly any agent can gain alone, although all together could" + edges
        )
    else:
        chances = f"{_other_chance(experiment)} or {_other_step(experiment)}"
        reasons.append(
            f"the value has stalled: it rose by {last.value - half.value:.3g} since round {half.round}, and "
            f"{last.optimality_gap:.4g} are missing. {chances} may help"
        )
    return reasons


def _saturated_since(measured: Sequence[Measured]) -> int | None:
    """Return the first evaluated round from which on policies were saturated; None if they are not."""
    since = None
    for line in reversed(measured):
        if not (line.nash_gap > 0.0 and line.gradient_norm <= SATURATED * line.nash_gap):
            break
        since = line.round
    return since


def _smaller(experiment: Experiment) -> str:
    if experiment.regularization == 0.0 and experiment.optimizer in ("adam", "normalised"):
        return "A smaller --learning-rate, or a --regularization above 0, keeps them trying"
    return "A smaller --learning-rate, or auto, keeps them trying"


def _other_chance(experiment: Experiment) -> str:
    """Return what draws other numbers: in exact mode only where learning begins is drawn."""
    return "Another beginning (--initial normal)" if experiment.mode == "exact" else "Another --seed"


def _other_step(experiment: Experiment) -> str:
    automatic = experiment.steps_by in ("adam", "normalised")
    return "a smaller --learning-rate" if automatic else "--learning-rate auto"


def certificate_label(gaps: Iterable[float | None], unit: float) -> str:
    """Return what a bound is introduced by: it is no good news where it bounds next to nothing.

    Parameters
    ----------
    gaps : iterable of float or None
        As measured at the end, the Nash gap and the optimality gap; None what was not.
    unit : float
        Range of the returns; 0 if it is not known.
    """
    largest = max((gap for gap in gaps if gap is not None), default=0.0)
    if unit <= 0.0 or not is_far(largest, unit):
        return "Certificate"
    return f"Certificate of a poor result (a gap of {min(largest / unit, 1.0):.0%} of the range of returns)"


def settings_of_steps(experiment: Experiment) -> dict[str, Any]:
    """Return with which steps a run learnt, as `summary.json` has them."""
    return {
        "learning_rate": experiment.learning_rate,
        "optimizer": experiment.steps_by,
    }
