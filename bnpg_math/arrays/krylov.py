"""Solving (I - gamma P) x = b without factorising, where there are many states.

Chains that mix well, and most do, need some ten products with P where a factorisation costs S^3. The answer
is as exact as a factorisation's: GMRES is restarted on the residual until that is rounding, and where it does
not get there soon, the system is factorised after all. Every solve starts from zero, never from an earlier
answer: the result of a run must not depend on what was computed before.
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from bnpg_math.arrays import FloatArray

Apply = Callable[[FloatArray], FloatArray]

TOLERANCE = 8.0 * float(np.finfo(np.float64).eps)
"""Residual accepted, relative to the answer; the error is then at most this / (1 - gamma), relatively."""
_RESTARTS = 5
_STEPS = 40


def krylov_solver(apply: Apply, gamma: float, order: float, direct: Callable[[], Apply]) -> Apply:
    """Return a solver for x - gamma P x = b.

    Parameters
    ----------
    apply : callable (S,) -> (S,)
        x -> P x, or its transpose.
    gamma : float
        Discount in [0, 1).
    order : float
        Of the norm in which P does not expand: infinity, or 1 for the transpose.
    direct : callable
        Makes a solver by factorisation; called at most once, when it is needed.

    Returns
    -------
    callable (S,) or (S, K) -> the same shape
    """
    factorised: list[Apply] = []

    def solve_column(b: FloatArray) -> FloatArray:
        if not factorised:
            x = _refined(apply, gamma, order, b)
            if x is not None:
                return x
            factorised.append(direct())
        return factorised[0](b)

    # No function here knows itself: such a circle would keep the chain in memory until it is found.
    def solve(b: FloatArray) -> FloatArray:
        return np.stack([solve_column(column) for column in b.T], axis=1) if b.ndim == 2 else solve_column(b)

    return solve


def _refined(apply: Apply, gamma: float, order: float, b: FloatArray) -> FloatArray | None:
    """Iterate until the residual is rounding; None if that does not come soon."""
    system = LinearOperator((len(b), len(b)), matvec=lambda x: x - gamma * apply(x), dtype=np.float64)
    x: FloatArray = np.zeros_like(b)
    residual = b
    for _ in range(_RESTARTS):
        step, _ = gmres(system, residual, rtol=1e-8, atol=0.0, restart=_STEPS, maxiter=1)
        x = x + step
        before, residual = np.linalg.norm(residual, order), b - (x - gamma * apply(x))
        left = np.linalg.norm(residual, order)
        if left <= TOLERANCE * np.linalg.norm(x, order):
            return x
        if left > 0.1 * before:
            return None
    return None
