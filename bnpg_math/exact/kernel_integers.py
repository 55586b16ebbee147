"""The transition probabilities of a game as integers: rows that sum to 1 exactly."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.integers import IntegerArray, Rows, as_integers, normalised, rounded
from bnpg_math.games.sparse_game import successor_arrays
from bnpg_math.games.transitions.interface import Transition
from bnpg_math.games.transitions.product import ProductTransition
from bnpg_math.games.transitions.sparse import SparseTransition


class KernelRows(NamedTuple):
    """Transitions of positive probability, row by row of (s, a).

    ``values``: (K,) integers, times 2^-``bits``; ``rows``, ``columns``: (K,) where they are; ``starts``:
    (S * A,) where each row begins; ``finest``: binary places of the smallest probability; ``lost``: the sum
    over a row of what rounding changed, at most.
    """

    values: IntegerArray
    bits: int
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    starts: NDArray[np.intp]
    finest: int
    lost: Fraction


def probabilities(transition: Transition) -> FloatArray:
    """Return every probability that is not 0, and perhaps zeros; flat, for counting and comparing.

    Parameters
    ----------
    transition : Transition
        A sparse one, or one that is small enough for its tensor.
    """
    if isinstance(transition, SparseTransition):
        return next(transition.content())
    return transition.to_dense().reshape(-1)


def kernel_rows(transition: Transition, guard: int) -> KernelRows:
    """Convert a kernel.

    Parameters
    ----------
    transition : Transition
    guard : int
        Bits kept beyond the smallest probability.

    Returns
    -------
    KernelRows
    """
    successors: NDArray[np.intp] | None = None
    if isinstance(transition, ProductTransition):
        found, lost = _product(transition, guard)
    elif isinstance(transition, SparseTransition):
        successors, weights = (
            array.reshape(-1, array.shape[-1]) for array in successor_arrays(transition).values()
        )
        found = normalised(as_integers(weights), guard)
        lost = found.lost
    else:
        found = normalised(as_integers(transition.to_dense().reshape(-1, transition.states)), guard)
        lost = found.lost
    rows, columns = np.nonzero(found.values)
    values = found.values[rows, columns]
    if successors is not None:
        columns = successors[rows, columns]
    starts = np.searchsorted(rows, np.arange(len(found.values)))
    finest = max(0, found.bits + 1 - int(values.min()).bit_length())
    return KernelRows(values, found.bits, rows, columns, starts, finest, lost)


def _product(transition: ProductTransition, guard: int) -> tuple[Rows, Fraction]:
    """The product of the components' kernels, each row divided by its exact sum."""
    content = list(transition.content())
    states, joint = transition.states, int(np.prod(transition.actions))
    digits = np.unravel_index(np.arange(states), transition.sizes)
    actions = np.unravel_index(np.arange(joint), transition.actions)
    product: IntegerArray = np.full((states, joint, 1), 1, dtype=object)
    bits, lost = 0, Fraction(0)
    for given, agents, kernel in zip(content[2::3], content[3::3], content[4::3], strict=True):
        size = kernel.shape[-1]
        rows = normalised(as_integers(kernel.reshape(-1, size)), guard)
        row = np.zeros((states, joint), dtype=np.intp)
        for axis, digit in enumerate(given.tolist()):
            row = row * kernel.shape[axis] + digits[digit][:, None]
        for axis, agent in enumerate(agents.tolist(), len(given)):
            row = row * kernel.shape[axis] + actions[agent][None, :]
        product = (product[..., :, None] * rows.values[row][..., None, :]).reshape(states, joint, -1)
        bits, lost = bits + rows.bits, lost + rows.lost
    # Products have more digits than are needed.
    short = rounded(Rows(product.reshape(states * joint, -1), bits, Fraction(0)), guard)
    return short, lost + short.lost
