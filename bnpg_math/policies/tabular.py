"""The tabular softmax policy of one agent as a value: one theta, and what follows from it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays, frozen
from bnpg_math.chance.sampling import cumulative, sample_actions
from bnpg_math.errors import PolicyError
from bnpg_math.learning.estimators import sampled_flow
from bnpg_math.learning.gradient import barrier_gradient, local_gradient
from bnpg_math.learning.natural import natural_direction, sampled_natural
from bnpg_math.learning.normalised import normalised_direction
from bnpg_math.policies.interface import Legal, Seen
from bnpg_math.policies.masked import draw_masked, masked_scores
from bnpg_math.policies.softmax import log_policy


def table_in(theta: Arrays, shape: tuple[int, ...]) -> FloatArray:
    """Return the one array of a table's theta.

    Raises
    ------
    PolicyError
        If it is not one array `theta` of this shape.
    """
    if set(theta) != {"theta"}:
        raise PolicyError(f"a table has one array theta, got {', '.join(sorted(theta)) or 'none'}")
    if theta["theta"].shape != shape:
        raise PolicyError(f"theta must have shape {shape}, got {theta['theta'].shape}")
    return theta["theta"]


class TabularSoftmax:
    """pi^i of eq. (1), a softmax over the last axis of a table of logits; a `Tabular` policy.

    Parameters
    ----------
    logits : (S, *P, A) float
        theta^i, finite; not to be written to any more.
    regularization : float
        lambda >= 0 of the log barrier.

    Examples
    --------
    >>> import numpy as np
    >>> policy = TabularSoftmax(np.zeros((1, 2)))
    >>> policy.draw(np.zeros(3, dtype=int), [], np.array([0.1, 0.6, 0.4])).tolist()
    [0, 1, 0]
    """

    def __init__(self, logits: FloatArray, regularization: float = 0.0) -> None:
        self.theta: Arrays = frozen({"theta": logits})
        self._regularization = regularization
        # At once, not when first asked for: nobody waits for an agent that has just learnt, but children do
        # wait for one that is to act.
        self.log_table = log_policy(logits)
        self.log_table.flags.writeable = False
        self.table = np.exp(self.log_table)

    @cached_property
    def _cumulative(self) -> FloatArray:
        return cumulative(self.table)

    def at(self, theta: Arrays) -> "TabularSoftmax":
        """Return the policy at another theta.

        Raises
        ------
        PolicyError
            If it is not one array `theta` of the same shape.
        """
        return TabularSoftmax(table_in(theta, self.table.shape), self._regularization)

    def draw(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        uniforms: FloatArray,
        legal: Legal | None = None,
    ) -> IntArray:
        """Draw an action in every lane by inverse CDF; `seen` are states."""
        if legal is not None:
            return draw_masked(self.log_table, seen, parents, uniforms, legal)
        return sample_actions(self._cumulative, seen, parents, uniforms)

    def gradient(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        actions: IntArray,
        weights: FloatArray,
        legal: Legal | None = None,
    ) -> Arrays:
        """Return the estimate of dL_lambda/dtheta^i from weighted actions (Lemma 1).

        The barrier is that of the whole softmax, whatever may be taken.
        """
        if legal is None:
            return self.ascent(sampled_flow(seen, parents, actions, weights, self.table.shape))
        scores = masked_scores(self.log_table, seen, parents, actions, weights, legal)
        return {"theta": scores + barrier_gradient(self.table, self._regularization)}

    def natural(self, gradient: Arrays, seen: Seen, parents: Sequence[IntArray], actions: IntArray) -> Arrays:
        """Return the natural direction of a sampled gradient (:func:`natural.sampled_natural`)."""
        return {"theta": sampled_natural(gradient["theta"], self.table, self._met(seen, parents, actions))}

    def normalised(
        self, gradient: Arrays, seen: Seen, parents: Sequence[IntArray], actions: IntArray
    ) -> Arrays:
        """Return a sampled gradient, normalised (:func:`normalised.normalised_direction`)."""
        return {"theta": normalised_direction(gradient["theta"], self._met(seen, parents, actions))}

    def _met(self, seen: Seen, parents: Sequence[IntArray], actions: IntArray) -> FloatArray:
        """Return how often each row was met, with each action."""
        return sampled_flow(seen, parents, actions, np.ones(len(actions)), self.table.shape)

    def ascent(self, flow: FloatArray, occupancy: FloatArray | None = None) -> Arrays:
        """Return dL_lambda/dtheta^i (Lemma 1), or its natural gradient if an occupancy comes along."""
        if occupancy is not None:
            return {"theta": natural_direction(flow, self.table, occupancy, self._regularization)}
        return {
            "theta": local_gradient(flow, self.table) + barrier_gradient(self.table, self._regularization)
        }
