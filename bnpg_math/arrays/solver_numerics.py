"""Recognising hosts on which exact evaluation differs in a bit: scipy's LAPACK, SuperLU and Krylov solver.

scipy brings a BLAS of its own, whose kernels are chosen by the processor too. Only who evaluates exactly
needs it: the coordinator, and the person's side.
"""

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.krylov import krylov_solver
from bnpg_math.arrays.numerics import digest_of, fingerprint, irregular

SIZES = (3, 32, 70)
"""Numbers of states: one block of LAPACK, and several. Larger ones would be shared among threads."""


def solver_probe() -> list[FloatArray]:
    """The results whose bits are compared: systems as exact evaluation solves them.

    Returns
    -------
    list of float arrays
    """
    results = []
    for states in SIZES:
        weights = irregular(states * states).reshape(states, states)
        chain = weights / weights.sum(axis=1, keepdims=True)
        system = np.eye(states) - 0.95 * chain
        right = irregular(2 * states).reshape(2, states).T
        factors, pivots, _ = dgetrf(system.T)
        results += [
            factors,
            dgetrs(factors, pivots, right[:, 0], trans=1)[0],
            dgetrs(factors, pivots, right)[0],
        ]
        sparse = splu(csc_array(np.where(weights > 0.7, system, 0.0) + 4.0 * np.eye(states)))
        results.append(sparse.solve(right[:, 0]))
    solve = krylov_solver(chain.__matmul__, 0.95, np.inf, lambda: np.copy)
    return [*results, solve(right[:, 0])]


def full_fingerprint() -> str:
    """Digests of numpy's and of the solvers' floating point on this host.

    Returns
    -------
    str
        `fingerprint`, a dash, and as many digits of the solvers.
    """
    return f"{fingerprint()}-{digest_of(solver_probe())}"
