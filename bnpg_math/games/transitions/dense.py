"""A kernel stored as the whole tensor: small games and games from files."""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.sampling import InverseCdf, cumulative
from bnpg_math.errors import GameError
from bnpg_math.games.probabilities import distributions, frozen
from bnpg_math.games.transitions.interface import Apply, along_chain


class DenseTransition:
    """P as an array ``[S, A_1, .., A_N, S]``.

    Parameters
    ----------
    table : (S, A_1, .., A_N, S) float
        Rows over the last axis are distributions.

    Raises
    ------
    GameError
        If the shape is not that of a kernel or a row is no distribution.
    """

    draws = 1

    def __init__(self, table: FloatArray) -> None:
        shape = table.shape
        if len(shape) < 3 or shape[0] != shape[-1] or min(shape) < 1:
            raise GameError(
                f"transition must have shape (S, A_1, .., A_N, S), all of them at least 1, got {shape}"
            )
        rows, notice = distributions(table, "transition", GameError)
        self._table = frozen(rows)
        self.notices = (notice,) if notice else ()
        self.states = shape[0]
        self.actions = tuple(int(count) for count in shape[1:-1])

    def expectation(self, value: FloatArray) -> FloatArray:
        """See :meth:`Transition.expectation`."""
        result: FloatArray = self._table @ value
        return result

    def under(self, pi: FloatArray) -> FloatArray:
        """See :meth:`Transition.under`."""
        rows = pi.reshape(self.states, 1, -1)
        chain: FloatArray = np.matmul(rows, self._table.reshape(self.states, -1, self.states))
        return chain[:, 0, :]

    def along(self, pi: FloatArray) -> tuple[Apply, Apply]:
        """See :meth:`Transition.along`."""
        return along_chain(self.under(pi))

    def under_choice(self, choice: IntArray) -> FloatArray:
        """See :meth:`Transition.under_choice`."""
        flat = self._table.reshape(self.states, -1, self.states)
        return flat[np.arange(self.states), choice]

    def sample(self, states: IntArray, actions: IntArray, uniforms: FloatArray) -> IntArray:
        """See :meth:`Transition.sample`."""
        rows = cells((states, actions), (self.states, math.prod(self.actions)))
        return self._inverse_cdf.draw(rows, uniforms[0])

    def to_dense(self) -> FloatArray:
        """See :meth:`Transition.to_dense`; the stored array itself, read-only."""
        return self._table

    def content(self) -> Iterator[NDArray[Any]]:
        """See :meth:`Transition.content`."""
        yield self._table

    @cached_property
    def _inverse_cdf(self) -> InverseCdf:
        return InverseCdf(cumulative(self._table.reshape(-1, self.states)))
