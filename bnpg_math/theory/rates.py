"""Theorems 1 and 2 read backwards: the accuracy a lambda certifies, and the updates it takes.

The theorems choose lambda = epsilon / (2 M), epsilon / (2^(N+1) N M), or in the tight form epsilon / Mbar and
epsilon / C*. Written in lambda, the number of updates does not depend on them: gradient ascent with step
1/beta meets a gradient of at most a threshold within T = 2 beta (R/(1-gamma)) / threshold^2 updates (theta_0
= 0). The tight form has Delta = V* - V(theta_0) instead of R/(1-gamma).
"""

import math
from dataclasses import dataclass

from bnpg_math.arrays.by_two import places_of
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.dag import Dag
from bnpg_math.errors import InputError
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


@dataclass(frozen=True)
class RateConstants:
    """What Theorems 1' and 2' need to know of a game beside its sizes.

    Parameters
    ----------
    mean : float or None
        Mbar, of :class:`bnpg_math.exact.mismatch.Mismatch`; infinite if Assumption 1 fails, None if unknown.
    optimal : float or None
        C* of an optimal policy, likewise.
    room : float
        Delta = V* - V(theta_0) at theta_0 = 0, or more; beyond R/(1-gamma) it is not used.
    """

    mean: float | None
    optimal: float | None
    room: float


@dataclass(frozen=True)
class Rate:
    """A theorem in one form: within `rounds` updates (3) some policy had a gap of at most `epsilon`.

    It speaks of theta_0 = 0 and a step size of exactly `step_size` = 1/beta.

    Parameters
    ----------
    theorem : str
        ``"theorem_1"`` (Nash gap) or ``"theorem_2"`` (optimality gap).
    form : str
        ``"printed"``, ``"corrected"`` or ``"tight"``.
    epsilon : float or None
        The gap that this lambda certifies; None with a reason if M is infinite.
    step_size : float or None
        1/beta of the same form; None if beta is 0 (nothing to learn).
    rounds : float or None
        T, not rounded; None with a reason if the theorem does not apply.
    reason : str or None
        Why a number is missing.
    """

    theorem: str
    form: Form
    epsilon: float | None
    step_size: float | None
    rounds: float | None
    reason: str | None


def rates(
    game: Game,
    dag: Dag,
    regularization: float,
    M: float | None = None,
    constants: RateConstants | None = None,
) -> list[Rate]:
    """Theorems 1 and 2 read backwards: which accuracy this lambda certifies, and after how many updates.

    Parameters
    ----------
    game : Game
        The game.
    dag : Dag
        Who conditions on whom.
    regularization : float
        lambda > 0.
    M : float, optional
        Mismatch coefficient, as in :func:`bounds`.
    constants : RateConstants, optional
        Of the tight form; without them it has M and R/(1-gamma), which are at least as large.

    Returns
    -------
    list of 6 Rate
        Theorems 1 and 2, each printed, corrected, tight.

    Raises
    ------
    InputError
        If lambda is not positive.
    """
    if not regularization > 0.0:
        raise InputError(f"a rate needs a positive regularization, got {regularization}")
    size = sizes(game, dag)
    mean, optimal, room = M, M, None
    if constants is not None:
        mean = M if constants.mean is None else constants.mean
        optimal = mean if constants.optimal is None else constants.optimal
        room = constants.room
    found: list[Rate] = []
    for form in FORMS:
        constant = mean if form == "tight" else M
        reason = why_unbounded(constant)
        epsilon = None if reason or constant is None else nash_bound(regularization, constant, form)
        step_size = 1 / smoothness(size, regularization, form)
        count = rounds(size, regularization, "theorem_1", form, room)
        found.append(Rate("theorem_1", form, epsilon, step_size, count, reason))
    for form in FORMS:
        if not size.complete:
            unfit = "Theorem 2 speaks of complete DAGs only"
            found.append(Rate("theorem_2", form, None, None, None, unfit))
            continue
        constant = optimal if form == "tight" else M
        reason = why_unbounded(constant)
        epsilon = None
        if constant is not None and not reason:
            epsilon = optimality_bound(size, regularization, constant, form)
        step_size = 1 / smoothness(size, regularization, form)
        count = rounds(size, regularization, "theorem_2", form, room)
        found.append(Rate("theorem_2", form, epsilon, step_size, count, reason))
    return found


def rounds(size: Sizes, regularization: float, theorem: str, form: Form, room: float | None = None) -> float:
    """T of a theorem, written in lambda.

    Parameters
    ----------
    size : Sizes
        From :func:`sizes`.
    regularization : float
        lambda > 0.
    theorem : {"theorem_1", "theorem_2"}
        Which.
    form : {"printed", "corrected", "tight"}
        The printed form keeps the paper's two separate terms with epsilon put in.
    room : float, optional
        Delta = V* - V(theta_0), of the tight form; R/(1-gamma) if it is not known.

    Returns
    -------
    float
        Not rounded.
    """
    if form == "printed":
        return _printed_rounds(size, regularization, theorem)
    beta = smoothness(size, regularization, form)
    height = size.reward_range / (1 - size.gamma)
    if form == "tight" and room is not None:
        height = min(room, height)
    threshold = euclidean_threshold(size, regularization, theorem, form)
    # All three are in the unit of the rewards: beside the threshold no square is 0 or infinite.
    places = places_of(threshold) if math.isfinite(threshold) else 0
    beta, height, threshold = (math.ldexp(one, -places) for one in (beta, height, threshold))
    return 2 * beta * height / threshold**2


def euclidean_threshold(size: Sizes, regularization: float, theorem: str, form: Form) -> float:
    """How small the Euclidean norm of the gradient must become for the lemma behind a theorem to apply.

    Rows of the gradient sum to zero. So an entry is at most sqrt(1 - 1/A_i) times the norm of its row, and a
    sum of one entry an agent at most sqrt(sum_i (1 - 1/A_i)) times that of the gradient.

    Parameters
    ----------
    size, regularization, theorem, form
        As in :func:`rounds`.

    Returns
    -------
    float
        Infinite where nobody has a choice.
    """
    if theorem == "theorem_1" and form == "tight":
        families = max(above * own * math.sqrt(1 - 1 / own) for above, own in size.rows)
        return regularization / (size.states * families) if families else math.inf
    if theorem == "theorem_1":
        return nash_threshold(size, regularization, form)
    threshold = optimality_threshold(size, regularization, form)
    if form == "tight":
        paths = left_sum(1 - 1 / own for _, own in size.rows)
        return threshold / math.sqrt(paths) if paths else math.inf
    return threshold


def _printed_rounds(size: Sizes, regularization: float, theorem: str) -> float:
    """The two displayed terms of each theorem, with the lambda that it chooses put in."""
    N, S, survival = size.agents, size.states, 1 - size.gamma
    coverage = left_sum(1 / above for above in size.parents)
    # Only R / lambda counts, but for one R: beside lambda no square of either is 0 or infinite.
    places = places_of(regularization)
    regularization, R = (math.ldexp(one, -places) for one in (regularization, size.reward_range))
    if theorem == "theorem_1":
        M_over_epsilon = 1 / (2 * regularization)
        first = 256 * N * M_over_epsilon**2 * S**2 * size.largest**2 * R**2 / survival**4
        second = 32 * regularization * M_over_epsilon * S * size.largest**2 * coverage * size.reward_range
        return first + second / survival
    M_over_epsilon = 1 / (2.0 ** (N + 1) * N * regularization)
    squares = size.joint**2 * size.largest**2
    first = 2.0 ** (N + 8) * N**3 * M_over_epsilon**2 * S**2 * squares * R**2 / survival**4
    return first + 8 * N * M_over_epsilon * S * squares * R * coverage / survival
