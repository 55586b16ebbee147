"""What goes into an agent's network: what it sees, then each parent's action, one-hot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.errors import PolicyError
from bnpg_math.policies.interface import Seen


@dataclass(frozen=True)
class Encoding:
    """The input of a network pi^i(a | what is seen, the parents' actions).

    Parameters
    ----------
    states : int
        S, where a state is seen, which is encoded one-hot; 0 where numbers are seen.
    width : int
        D: how many numbers are seen; 0 where a state is.
    parents : tuple of int
        How many actions each parent has, ascending by parent.
    closed : frozenset of int
        Positions in `parents` of edges that are shut: their part of the input is 0, whatever was played.

    Raises
    ------
    PolicyError
        If neither or both of a state and numbers are seen, or a shut edge is none.

    Examples
    --------
    >>> import numpy as np
    >>> Encoding(2, 0, (3,)).rows(np.array([1]), [np.array([2])]).tolist()
    [[0.0, 1.0, 0.0, 0.0, 1.0]]
    """

    states: int
    width: int
    parents: tuple[int, ...]
    closed: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if (self.states > 0) == (self.width > 0) or min(self.states, self.width, *self.parents) < 0:
            raise PolicyError(f"a network sees a state or numbers, got {self.states} and {self.width}")
        if not all(0 <= edge < len(self.parents) for edge in self.closed):
            raise PolicyError(f"shut edges must be in 0..{len(self.parents) - 1}, got {sorted(self.closed)}")

    @property
    def size(self) -> int:
        """How many numbers go in."""
        return self.states + self.width + sum(self.parents)

    def rows(self, seen: Seen, parents: Sequence[IntArray]) -> FloatArray:
        """Return the input of every lane.

        Parameters
        ----------
        seen : (n,) int or (n, D) float
        parents : sequence of k arrays (n,) int
            Ascending by parent, in range.

        Returns
        -------
        (n, size) float

        Raises
        ------
        ValueError
            If a shape does not fit.
        """
        lanes = len(seen)
        expected = (lanes, self.width) if self.width else (lanes,)
        if seen.shape != expected or len(parents) != len(self.parents):
            raise ValueError(
                f"expected {expected} seen and {len(self.parents)} parents, "
                f"got {seen.shape} and {len(parents)}"
            )
        if any(actions.shape != (lanes,) for actions in parents):
            # One lane broadcast over the others would be a silent mistake.
            raise ValueError(f"parents' actions must have shape ({lanes},), got {[a.shape for a in parents]}")
        rows = np.zeros((lanes, self.size))
        lane = np.arange(lanes)
        if self.width:
            rows[:, : self.width] = seen
        else:
            rows[lane, seen.astype(np.intp)] = 1.0
        start = self.states + self.width
        for edge, (actions, many) in enumerate(zip(parents, self.parents, strict=True)):
            if edge not in self.closed:
                rows[lane, start + actions.astype(np.intp)] = 1.0
            start += many
        return rows
