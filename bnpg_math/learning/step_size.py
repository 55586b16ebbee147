"""Step sizes chosen from the objective: backtracking, and Barzilai and Borwein's.

A step eta along a direction p from a point with gradient g is accepted if it raises the objective by at least
half of what the gradient promises, eta <g, p> (Armijo 1966 with the factor 1/2). By the descent lemma every
gradient step of at most 1/beta is; so steps that are never cut below 1/beta need no more rounds than
Theorems 1 and 2 promise for 1/beta itself, and the objective never falls: by no more than rounding hides, see
`ALLOWED` and `bnpg_math.theory.ascent`. With rewards of 1e10 that differ by 1e-6 that is all of it. The cap
on how far a logit moves, `LONGEST`, never cuts a gradient step of 1/beta either: no entry of the gradient
exceeds 2 beta, as the value's part is at most R / (4 (1-gamma)^2) and the barrier's at most
lambda / (S A_P).
"""

from collections.abc import Callable, Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.left_sum import left_sum

SUFFICIENT = 0.5
"""Share of the promised increase that a step must keep."""
GROWTH = 2.0
"""A round first tries so many times the step of the one before."""
STRIDE = 4.0
"""The same after a step along which the objective did not curve down."""
LONGEST = 16.0
"""Most that a step moves a logit: odds change by e^16 at most, which no policy needs more of in one round."""
LARGEST = 2.0**500
"""Most that a step size is: where saturated tables have a gradient of 0 it is doubled round after round."""
HALVINGS = 60
"""After which a step is below rounding."""
ALLOWED = 8.0 * float(np.finfo(float).eps)
"""Of |L| before and after a step: a fall by less may be rounding, and is accepted."""


def inner(left: Sequence[FloatArray], right: Sequence[FloatArray]) -> float:
    """Inner product over all agents' arrays."""
    return left_sum(float(np.vdot(first, other)) for first, other in zip(left, right, strict=True))


def longest_step(direction: Sequence[FloatArray]) -> float:
    """The step size with which no logit moves by more than `LONGEST`, and at most `LARGEST`."""
    largest = max(float(np.abs(array).max()) for array in direction)
    return LONGEST / largest if largest > LONGEST / LARGEST else LARGEST


def backtrack(
    objective_after: Callable[[float], float], objective: float, slope: float, first: float, floor: float
) -> tuple[float, float]:
    """Halve a step size until it raises the objective enough.

    Parameters
    ----------
    objective_after : callable from float to float
        The objective after a step of this size.
    objective : float
        Before the step.
    slope : float
        <g, p> >= 0, its derivative along the direction.
    first : float
        The largest step size to try, > 0.
    floor : float
        Step size that is accepted whatever it does, because it is certified; 0 if there is none.

    Returns
    -------
    eta, reached : float
        The step size, and the objective after it. At least min(first, floor).
    """
    eta = first
    for _ in range(HALVINGS):
        reached = objective_after(eta)
        rounding = ALLOWED * (abs(objective) + abs(reached))
        if eta <= floor or reached >= objective + SUFFICIENT * eta * slope - rounding:
            return eta, reached
        eta = max(eta / 2.0, floor)
    return eta, objective_after(eta)


def barzilai_borwein(
    eta: float, direction: Sequence[FloatArray], before: Sequence[FloatArray], after: Sequence[FloatArray]
) -> float:
    """The step size that the step just made suggests for the next.

    After Barzilai & Borwein (IMA J. Numer. Anal. 8, 1988) it is <s, s> / <s, -y> with the step s = eta p and
    the change y of the gradient: the inverse of the objective's mean curvature along the step. For a
    direction p other than the gradient g, lengths are measured in the metric that makes p of g: <s, s> is
    eta^2 <p, g>.

    Parameters
    ----------
    eta : float
        Size of the step, > 0.
    direction, before, after : sequences of N arrays
        p, and the gradient before and after the step.

    Returns
    -------
    float
        `STRIDE` eta where the objective does not curve down along the step.
    """
    promised = inner(direction, before)
    bend = promised - inner(direction, after)
    # Within rounding of a straight line there is no curvature to speak of.
    return eta * promised / bend if bend > ALLOWED * abs(promised) else STRIDE * eta
