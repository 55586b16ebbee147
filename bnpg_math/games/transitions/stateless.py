"""A kernel that forgets the current state: P(s'|a). Matrix games and repeated draws."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.sampling import InverseCdf, cumulative
from bnpg_math.errors import GameError
from bnpg_math.games.probabilities import distributions, frozen
from bnpg_math.games.transitions.interface import Apply, along_actions, repeated


class StatelessTransition:
    """P as an array ``[A_1, .., A_N, S]``, S times smaller than the tensor.

    Parameters
    ----------
    table : (A_1, .., A_N, S) float
        Rows over the last axis are distributions.

    Raises
    ------
    GameError
        If the shape is not that of a kernel or a row is no distribution.
    """

    draws = 1

    def __init__(self, table: FloatArray) -> None:
        shape = table.shape
        if len(shape) < 2 or min(shape) < 1:
            raise GameError(
                f"stateless transition must have shape (A_1, .., A_N, S), all at least 1, got {shape}"
            )
        rows, notice = distributions(table, "transition", GameError)
        self._table = frozen(rows)
        self.notices = (notice,) if notice else ()
        self.states = int(shape[-1])
        self.actions = tuple(int(count) for count in shape[:-1])

    def expectation(self, value: FloatArray) -> FloatArray:
        """See :meth:`Transition.expectation`; a broadcast view over the current states."""
        return repeated(self._table @ value, self.states)

    def under(self, pi: FloatArray) -> FloatArray:
        """See :meth:`Transition.under`."""
        chain: FloatArray = pi.reshape(self.states, -1) @ self._table.reshape(-1, self.states)
        return chain

    def along(self, pi: FloatArray) -> tuple[Apply, Apply]:
        """See :meth:`Transition.along`."""
        kernel = self._table.reshape(-1, self.states)
        return along_actions(pi, lambda x: kernel @ x, lambda y: kernel.T @ y)

    def under_choice(self, choice: IntArray) -> FloatArray:
        """See :meth:`Transition.under_choice`."""
        return self._table.reshape(-1, self.states)[choice]

    def sample(self, states: IntArray, actions: IntArray, uniforms: FloatArray) -> IntArray:
        """See :meth:`Transition.sample`."""
        del states
        return self._inverse_cdf.draw(actions, uniforms[0])

    def to_dense(self) -> FloatArray:
        """See :meth:`Transition.to_dense`."""
        return np.broadcast_to(self._table, (self.states, *self._table.shape)).copy()

    def content(self) -> Iterator[NDArray[Any]]:
        """See :meth:`Transition.content`."""
        yield self._table

    @cached_property
    def _inverse_cdf(self) -> InverseCdf:
        return InverseCdf(cumulative(self._table.reshape(-1, self.states)))
