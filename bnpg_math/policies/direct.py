"""The direct parameterisation of one agent's policy: a table of probabilities that is its own theta.

Policy gradient of Leonardos, Overman, Panageas & Piliouras (2021), the paper's reference [4]: gradient ascent
in the probabilities, each row projected back onto the simplex (docs/theory/baselines.md). Unlike a softmax it
can hold zeros.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays, frozen
from bnpg_math.chance.sampling import cumulative, sample_actions
from bnpg_math.errors import PolicyError
from bnpg_math.learning.estimators import sampled_flow
from bnpg_math.policies.interface import Legal, Seen
from bnpg_math.policies.simplex import nearest_distributions
from bnpg_math.policies.tabular import table_in


class TabularDirect:
    """pi^i as a table of probabilities; a `Direct` policy.

    Parameters
    ----------
    table : (S, *P, A) float
        pi^i, not negative, rows of which sum to 1; not to be written to any more.

    Examples
    --------
    >>> import numpy as np
    >>> policy = TabularDirect(np.array([[0.0, 1.0]]))
    >>> policy.nearest({"theta": np.array([[0.25, 0.25]])})["theta"].tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, table: FloatArray) -> None:
        self.theta: Arrays = frozen({"theta": table})
        self.table = self.theta["theta"]

    @cached_property
    def log_table(self) -> FloatArray:
        """Logarithm of the table; minus infinity where an action is never taken."""
        with np.errstate(divide="ignore"):
            logarithms: FloatArray = np.log(self.table)
        logarithms.flags.writeable = False
        return logarithms

    @cached_property
    def _cumulative(self) -> FloatArray:
        return cumulative(self.table)

    def at(self, theta: Arrays) -> "TabularDirect":
        """Return the policy at another theta.

        Raises
        ------
        PolicyError
            If it is not one array `theta` of the same shape.
        """
        return TabularDirect(table_in(theta, self.table.shape))

    def nearest(self, theta: Arrays) -> Arrays:
        """Return the nearest theta whose rows are distributions."""
        return {"theta": nearest_distributions(theta["theta"])}

    def draw(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        uniforms: FloatArray,
        legal: Legal | None = None,
    ) -> IntArray:
        """Draw an action in every lane by inverse CDF; `seen` are states, and nothing is forbidden."""
        if legal is not None:
            raise PolicyError("a direct policy takes any action, but some are forbidden")
        return sample_actions(self._cumulative, seen, parents, uniforms)

    def gradient(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        actions: IntArray,
        weights: FloatArray,
        legal: Legal | None = None,  # noqa: ARG002 - such actions were never drawn
    ) -> Arrays:
        """Return sum_k w_k d log pi(a_k | ..) / d pi, which is w_k / pi at what was taken.

        What is never taken gets 0, whatever its gradient is: where the table holds zeros this is no unbiased
        estimate of dV/dpi, so runs do not learn from it.
        """
        weighted = sampled_flow(seen, parents, actions, weights, self.table.shape)
        return {"theta": np.divide(weighted, self.table, out=np.zeros_like(weighted), where=weighted != 0.0)}

    def ascent(self, flow: FloatArray, occupancy: FloatArray | None = None) -> Arrays:
        """Return dV/dpi^i, which is what the signal of an exact round holds for this policy.

        Raises
        ------
        PolicyError
            If an occupancy comes along: the natural gradient is that of the softmax.
        """
        if occupancy is not None:
            raise PolicyError("a table of probabilities has no natural gradient here")
        return {"theta": flow}
