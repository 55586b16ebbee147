"""The tabular softmax policy of one agent, eq. (1).

The logits theta^i have shape ``[S, A_p1, .., A_pk, A_i]``: the parents' axes in ascending agent
index, the agent's own action last. The softmax runs over the last axis.
"""

from collections.abc import Sequence

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.short_axis import largest, lowered, total
from bnpg_math.chance.streams import Purpose, generator
from bnpg_math.errors import PolicyError


def log_policy(theta: FloatArray) -> FloatArray:
    """Logarithm of the softmax over the last axis.

    Parameters
    ----------
    theta : (S, *P, A) float
        Logits, finite. Adding a constant to a row changes nothing.

    Returns
    -------
    (S, *P, A) float
        At most 0. Stays finite where the probability itself underflows.
    """
    shifted = lowered(theta, largest(theta))
    return lowered(shifted, np.log(total(np.exp(shifted))))


def policy(theta: FloatArray) -> FloatArray:
    """Softmax over the last axis, eq. (1).

    Parameters
    ----------
    theta : (S, *P, A) float
        Logits, finite.

    Returns
    -------
    (S, *P, A) float
        Rows sum to one over the last axis, up to rounding.
    """
    return np.exp(log_policy(theta))


def theta_shape(states: int, actions: Sequence[int], parents: Sequence[int], agent: int) -> tuple[int, ...]:
    """Shape of an agent's logits.

    Parameters
    ----------
    states : int
        S.
    actions : sequence of int
        A_1 .. A_N.
    parents : sequence of int
        pa(i), ascending.
    agent : int
        i.

    Returns
    -------
    tuple of int
        ``(S, A_p1, .., A_pk, A_i)``.

    Examples
    --------
    >>> theta_shape(5, (2, 3, 4), (0, 1), 2)
    (5, 2, 3, 4)
    """
    return (int(states), *(int(actions[parent]) for parent in parents), int(actions[agent]))


def validate_theta(theta: object, shape: tuple[int, ...], agent: int) -> FloatArray:
    """Check an agent's logits where they enter the program.

    Parameters
    ----------
    theta : array-like
        What came.
    shape : tuple of int
        What is expected, from :func:`theta_shape`.
    agent : int
        Named in the error.

    Returns
    -------
    (S, *P, A) float
        The same numbers as C-contiguous float64.

    Raises
    ------
    PolicyError
        If the shape differs, the numbers are not real, or one of them is not finite.
    """
    array = np.asarray(theta)
    if array.dtype.kind not in "fiu":
        raise PolicyError(f"theta_{agent} must hold real numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise PolicyError(f"theta_{agent} must have shape {shape}, got {array.shape}")
    values = np.ascontiguousarray(array, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        where = np.unravel_index(int(np.argmin(finite)), shape)
        index = ", ".join(str(int(i)) for i in where)
        raise PolicyError(f"theta_{agent}[{index}] must be finite, got {values[where]}")
    return values


def initial_normal(seed: int, agent: int, shape: tuple[int, ...]) -> FloatArray:
    """Logits drawn from N(0, 1), keyed by the seed and the agent alone.

    Parameters
    ----------
    seed : int
        The experiment's seed, in 0..2**64-1.
    agent : int
        i.
    shape : tuple of int
        From :func:`theta_shape`.

    Returns
    -------
    (S, *P, A) float
    """
    return generator(seed, Purpose.INITIAL_THETA, agent).standard_normal(shape)
