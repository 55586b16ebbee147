"""What a local policy pi^i is to whoever learns with it: one typed value, and no base class.

A score-function gradient needs a weight for every action that was taken, and nothing else: so sampled
learning works with anything that can draw actions and differentiate its logarithm. Exact mode and exact
measurement ask for more, as capabilities: `Tabulated` shows its probabilities, `Tabular` follows a gradient
given in them. The theta of a `Direct` policy is its table of probabilities, which may hold zeros. A critic's
advantages ask for a `Differentiable` policy: this is where a network of another make goes in.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays

Seen = NDArray[Any]
"""What an agent sees in every lane, along the first axis: its states, or its observations."""
Legal = NDArray[np.uint8]
"""(n, A): 1 for the actions that may be taken, at least one a row."""
PullLogits = Callable[[slice, FloatArray], FloatArray]
"""Returns, for the rows of a slice and their log probabilities (n, A), the derivative of a sum over rows in
their logits, (n, A)."""


class Policy(Protocol):
    """A local policy pi^i(a | what is seen, the parents' actions) at one theta: an immutable value.

    `bnpg.conformance.check_policy` says whether something is one.
    """

    @property
    def theta(self) -> Arrays:
        """The parameters, read-only: what is stored and digested."""

    def at(self, theta: Arrays) -> Self:
        """Return the same policy at another theta.

        Raises
        ------
        PolicyError
            If the names or shapes are not those of this policy's theta.
        """

    def draw(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        uniforms: FloatArray,
        legal: Legal | None = None,
    ) -> IntArray:
        """Draw an action in every lane.

        What is drawn in a lane depends on that lane's arguments alone, so that any part of the lanes draws
        what all of them at once do.

        Parameters
        ----------
        seen : (B, ..) array
        parents : sequence of k arrays (B,) int
            The parents' actions, ascending by parent.
        uniforms : (B,) float
            In [0, 1).
        legal : (B, A) of 0 and 1, optional
            Which actions may be taken, at least one a lane; None: all.

        Returns
        -------
        (B,) int
            In 0..A-1, and legal.
        """

    def gradient(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        actions: IntArray,
        weights: FloatArray,
        legal: Legal | None = None,
    ) -> Arrays:
        """Return sum_k w_k d log pi(a_k | ..) / d theta, plus the barrier's share.

        Parameters
        ----------
        seen : (K, ..) array
            Of all visited steps, laid end to end.
        parents, actions
            (K,) int each.
        weights : (K,) float
            The shared signal.
        legal : (K, A) of 0 and 1, optional
            Which actions might be taken; None: all.

        Returns
        -------
        dict from str to array
            Names and shapes of theta.
        """


@runtime_checkable
class Differentiable(Policy, Protocol):
    """A policy that any function of its log probabilities can be followed through: what `a2c` and `ppo` need.

    What it is made of is its own affair: agents store theta by name, and ask nothing of layers.
    """

    def log_pi(self, seen: Seen, parents: Sequence[IntArray], legal: Legal | None = None) -> FloatArray:
        """Return the logarithm of the probability of every action in every row.

        Parameters
        ----------
        seen : (n, ..) array
        parents : sequence of k arrays (n,) int
        legal : (n, A) of 0 and 1, optional

        Returns
        -------
        (n, A) float
            Minus infinity for what may not be taken. What `draw` draws from, to the bit.
        """

    def backpropagate(
        self, seen: Seen, parents: Sequence[IntArray], legal: Legal | None, pull: PullLogits
    ) -> Arrays:
        """Return the derivative in theta of a sum over rows.

        Parameters
        ----------
        seen, parents, legal
            As in :meth:`log_pi`.
        pull : callable
            Called with slices that cover the rows once, in order, and with their log probabilities; returns
            the derivative in the logits, 0 for what may not be taken.

        Returns
        -------
        dict from str to array
            Names and shapes of theta.
        """


@runtime_checkable
class Tabulated(Policy, Protocol):
    """A policy over finitely many states that can show its probabilities: what exact measurement asks for."""

    @property
    def log_table(self) -> FloatArray:
        """Logarithm of the conditional table, (S, *P, A) float, read-only; minus infinity for a zero."""


@runtime_checkable
class Tabular(Tabulated, Protocol):
    """A policy that follows a gradient given in its table: what exact mode asks for."""

    def ascent(self, flow: FloatArray, occupancy: FloatArray | None = None) -> Arrays:
        """Return the direction of an exact update.

        Parameters
        ----------
        flow : (S, *P, A) float
            m^i: visitation-weighted Q, summed over the agents outside the family; with an occupancy the
            advantage A^i.
        occupancy : (S, *P, A) float, optional
            How often each entry is met, for the natural gradient; None for the gradient.

        Returns
        -------
        dict from str to array
            What is added to theta, up to the step size.
        """


@runtime_checkable
class Direct(Tabular, Protocol):
    """A policy whose theta is its conditional table: it shows the table itself, and goes back to the simplex.

    What `ascent` is given is dV/dpi^i, up to a constant a row.
    """

    @property
    def table(self) -> FloatArray:
        """The conditional table, (S, *P, A) float, read-only; zeros allowed."""

    def nearest(self, theta: Arrays) -> Arrays:
        """Return the nearest theta whose rows are distributions."""
