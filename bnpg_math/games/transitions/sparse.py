"""A kernel stored as a sparse matrix: many states, few successors of each."""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.sampling import bisect, cumulative
from bnpg_math.errors import GameError
from bnpg_math.games.probabilities import check_finite, sparse_distributions
from bnpg_math.games.transitions.interface import Apply, along_chain

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class SparseTransition:
    """P as a CSR matrix ``[S * A_1 * .. * A_N, S]``, rows in C order of (s, a_1, .., a_N).

    Parameters
    ----------
    matrix : sparse (S * A, S) float
        Rows are distributions. Copied.
    actions : sequence of int
        (A_1, .., A_N).

    Raises
    ------
    GameError
        If the shape does not fit the actions or a row is no distribution.
    """

    draws = 1

    def __init__(self, matrix: Any, actions: Sequence[int]) -> None:
        from scipy.sparse import csr_array

        self.actions = tuple(int(count) for count in actions)
        joint = math.prod(self.actions)
        copy: Any = csr_array(matrix.astype(np.float64, copy=True))
        rows, self.states = (int(length) for length in copy.shape)
        if not self.actions or joint < 1 or self.states < 1 or rows != self.states * joint:
            raise GameError(
                f"transition must have S * {joint} rows and S columns, got {rows} and {self.states}"
            )
        copy.sum_duplicates()
        copy.eliminate_zeros()
        check_finite(copy.data, "transition data", GameError)
        if copy.data.size and copy.data.min() < 0.0:
            raise GameError(f"transition must not be negative, got {copy.data.min():g}")
        shape = (self.states, *self.actions)
        copy.data, notice = sparse_distributions(copy.data, copy.indptr, shape, "transition", GameError)
        self.notices = (notice,) if notice else ()
        for array in (copy.data, copy.indices, copy.indptr):
            array.setflags(write=False)
        self._matrix = copy

    def expectation(self, value: FloatArray) -> FloatArray:
        """See :meth:`Transition.expectation`."""
        flat: FloatArray = self._matrix @ value
        return flat.reshape(self.states, *self.actions)

    def under(self, pi: FloatArray) -> "csr_array[Any]":
        """See :meth:`Transition.under`; stays sparse."""
        from scipy.sparse import csr_array

        size = pi.size
        # The policy as a block-diagonal [S, S * A] matrix mixes each state's rows.
        mixer: Any = csr_array(
            (pi.reshape(-1), np.arange(size), np.arange(0, size + 1, size // self.states)),
            shape=(self.states, size),
        )
        return csr_array(mixer @ self._matrix)

    def along(self, pi: FloatArray) -> tuple[Apply, Apply]:
        """See :meth:`Transition.along`."""
        return along_chain(self.under(pi))

    def under_choice(self, choice: IntArray) -> "csr_array[Any]":
        """See :meth:`Transition.under_choice`."""
        rows = np.arange(self.states) * math.prod(self.actions) + choice
        chain: csr_array[Any] = self._matrix[rows]
        return chain

    def sample(self, states: IntArray, actions: IntArray, uniforms: FloatArray) -> IntArray:
        """See :meth:`Transition.sample`."""
        rows = cells((states, actions), (self.states, math.prod(self.actions)))
        starts = self._starts
        positions = bisect(self._cumulative, starts[rows], starts[rows + 1], uniforms[0])
        following: IntArray = self._matrix.indices.take(positions)
        return following

    def to_dense(self) -> FloatArray:
        """See :meth:`Transition.to_dense`."""
        dense: FloatArray = self._matrix.toarray()
        return dense.reshape(self.states, *self.actions, self.states)

    def content(self) -> Iterator[NDArray[Any]]:
        """See :meth:`Transition.content`; index widths depend on the platform, so they are widened."""
        yield self._matrix.data
        yield self._matrix.indices.astype(np.int64)
        yield self._starts

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        starts: NDArray[np.int64] = self._matrix.indptr.astype(np.int64)
        return starts

    @cached_property
    def _cumulative(self) -> FloatArray:
        """Cumulative rows laid end to end.

        Rows of equal length are summed together: a running sum over all rows would lose digits.
        """
        lengths = np.diff(self._starts)
        sums: FloatArray = np.empty_like(self._matrix.data)
        for length in np.unique(lengths):
            places = self._starts[:-1][lengths == length][:, None] + np.arange(length)
            sums[places] = cumulative(self._matrix.data[places])
        return sums
