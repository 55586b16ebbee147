"""A network as the local policy of one agent: a value at one theta, as a table is.

Lanes are rows by the tile rule (`bnpg_math.networks.tiles`): a turn's first lane must be a multiple of
`TILE`, then any such part of the lanes draws what all of them at once do.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays, frozen, shaped
from bnpg_math.chance.sampling import cumulative, invert
from bnpg_math.errors import PolicyError
from bnpg_math.networks.mlp import backpropagate, checked, initial, outputs, shapes
from bnpg_math.networks.tiles import CHUNK, padded
from bnpg_math.policies.categorical import even, log_probabilities
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.interface import Legal, PullLogits, Seen

LAST_GAIN = 0.01
"""Of the last layer at the beginning: the first policy is nearly uniform."""


class NetworkPolicy:
    """pi^i as a masked softmax over what a perceptron says of the agent's input; `Differentiable`.

    Parameters
    ----------
    theta : dict from str to array
        As `bnpg_math.networks.mlp.shapes` names them; not to be written to any more.
    encoding : Encoding
        What goes in.
    hidden : sequence of int
        Widths of the hidden layers.
    actions : int
        A.
    regularization : float
        lambda >= 0 of the log barrier, on the contexts that were visited.

    Raises
    ------
    PolicyError
        If theta is not that of such a network.
    """

    def __init__(
        self,
        theta: Arrays,
        encoding: Encoding,
        hidden: Sequence[int],
        actions: int,
        regularization: float = 0.0,
    ) -> None:
        self.theta: Arrays = frozen(checked(theta, shapes(encoding.size, hidden, actions)))
        self.encoding = encoding
        self.hidden = tuple(hidden)
        self.actions = actions
        self._regularization = regularization

    def at(self, theta: Arrays) -> Self:
        """Return the policy at another theta.

        Raises
        ------
        PolicyError
            If a name or a shape is not that of this network.
        """
        return type(self)(theta, self.encoding, self.hidden, self.actions, self._regularization)

    def of_vector(self, vector: FloatArray) -> Self:
        """Return the same policy at a theta that is laid out as one vector, layer by layer.

        Raises
        ------
        PolicyError
            If it has another length.
        """
        try:
            return self.at(shaped(vector, shapes(self.encoding.size, self.hidden, self.actions)))
        except ValueError as error:
            raise PolicyError(f"theta of a network: {error}") from None

    def log_pi(self, seen: Seen, parents: Sequence[IntArray], legal: Legal | None = None) -> FloatArray:
        """Return the log probabilities of :meth:`Differentiable.log_pi`, by the tile rule."""
        found = np.empty((len(seen), self.actions))
        for start in range(0, len(seen), CHUNK):
            part = slice(start, min(start + CHUNK, len(seen)))
            rows = padded(self.encoding.rows(seen[part], [actions[part] for actions in parents]))
            logits = outputs(self.theta, rows)
            may = None
            if legal is not None:
                # What fills up a tile may do anything: a row without a legal action has no distribution.
                may = np.ones(logits.shape, dtype=np.uint8)
                may[: part.stop - start] = legal[part]
            found[part] = log_probabilities(logits, may)[: part.stop - start]
        return found

    def draw(
        self, seen: Seen, parents: Sequence[IntArray], uniforms: FloatArray, legal: Legal | None = None
    ) -> IntArray:
        """Draw an action that may be taken in every lane by inverse CDF.

        Raises
        ------
        ValueError
            If a length does not fit.
        """
        if uniforms.shape != (len(seen),):
            raise ValueError(f"expected {len(seen)} uniforms, got shape {uniforms.shape}")
        sums = cumulative(np.exp(self.log_pi(seen, parents, legal)))
        return invert(sums, np.arange(len(seen)), uniforms)

    def gradient(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        actions: IntArray,
        weights: FloatArray,
        legal: Legal | None = None,
    ) -> Arrays:
        """Return sum_k w_k d log pi(a_k | ..) / d theta, plus that of the barrier.

        The barrier is lambda times the mean of log pi, over the contexts visited and what may be taken there.
        """
        share = self._regularization / max(1, len(weights))

        def pull(part: slice, log_pi: FloatArray) -> FloatArray:
            pi = np.exp(log_pi)
            logits = -weights[part, None] * pi
            logits[np.arange(len(pi)), actions[part].astype(np.intp)] += weights[part]
            return logits + share * (even(log_pi) - pi) if share else logits

        return self.backpropagate(seen, parents, legal, pull)

    def backpropagate(
        self, seen: Seen, parents: Sequence[IntArray], legal: Legal | None, pull: PullLogits
    ) -> dict[str, FloatArray]:
        """Return the derivative of a sum over rows in theta.

        Parameters
        ----------
        seen, parents, legal
            As in :meth:`log_pi`.
        pull : callable
            The derivative in the logits; it must be 0 for what may not be taken.

        Returns
        -------
        dict from str to array
            Names and shapes of theta.
        """

        def inputs(part: slice) -> FloatArray:
            return self.encoding.rows(seen[part], [actions[part] for actions in parents])

        def through(part: slice, logits: FloatArray) -> FloatArray:
            return pull(part, log_probabilities(logits, None if legal is None else legal[part]))

        return backpropagate(self.theta, len(seen), inputs, through)


class StateNetworkPolicy(NetworkPolicy):
    """A network over finitely many states: it shows a table, and follows an exact gradient; `Tabular`.

    Its barrier is that of a table, even over all states and parents' actions.
    """

    def __init__(
        self,
        theta: Arrays,
        encoding: Encoding,
        hidden: Sequence[int],
        actions: int,
        regularization: float = 0.0,
    ) -> None:
        super().__init__(theta, encoding, hidden, actions, regularization)
        if not encoding.states:
            raise PolicyError("a network that shows a table must see states, got numbers")
        self._contexts = [axis.reshape(-1) for axis in np.indices((encoding.states, *encoding.parents))]

    @cached_property
    def log_table(self) -> FloatArray:
        """Logarithm of the conditional table, (S, *P, A) float, read-only."""
        table = self.log_pi(self._contexts[0], self._contexts[1:])
        table = table.reshape(self.encoding.states, *self.encoding.parents, self.actions)
        table.flags.writeable = False
        return table

    def gradient(
        self,
        seen: Seen,
        parents: Sequence[IntArray],
        actions: IntArray,
        weights: FloatArray,
        legal: Legal | None = None,
    ) -> Arrays:
        """Return sum_k w_k d log pi(a_k | ..) / d theta, plus that of the barrier."""
        plain = NetworkPolicy(self.theta, self.encoding, self.hidden, self.actions)
        found = plain.gradient(seen, parents, actions, weights, legal)
        return self._with_barrier(found)

    def ascent(self, flow: FloatArray, occupancy: FloatArray | None = None) -> Arrays:
        """Return dL_lambda/dtheta^i from the gradient in the table (Lemma 1 and the chain rule).

        Raises
        ------
        PolicyError
            If an occupancy comes along: the natural gradient here is that of tables.
        """
        if occupancy is not None:
            raise PolicyError("a network has no natural gradient here")
        weights = flow.reshape(-1, self.actions)

        def pull(part: slice, log_pi: FloatArray) -> FloatArray:
            pulled: FloatArray = weights[part] - np.exp(log_pi) * weights[part].sum(axis=1, keepdims=True)
            return pulled

        return self._with_barrier(self.backpropagate(self._contexts[0], self._contexts[1:], None, pull))

    def _with_barrier(self, found: Arrays) -> Arrays:
        if not self._regularization:
            return found
        share = self._regularization / len(self._contexts[0])

        def pull(_: slice, log_pi: FloatArray) -> FloatArray:
            return share * (even(log_pi) - np.exp(log_pi))

        barrier = self.backpropagate(self._contexts[0], self._contexts[1:], None, pull)
        return {name: array + barrier[name] for name, array in found.items()}


def initial_network(
    seed: int,
    agent: int,
    encoding: Encoding,
    hidden: Sequence[int],
    actions: int,
    regularization: float = 0.0,
) -> NetworkPolicy:
    """Return an agent's network at theta_0, which depends on the seed, the agent and the sizes alone.

    Parameters
    ----------
    seed : int
        The experiment's seed.
    agent : int
        i.
    encoding, hidden, actions, regularization
        As in :class:`NetworkPolicy`.

    Returns
    -------
    NetworkPolicy
        A `StateNetworkPolicy` where states are seen.
    """
    theta = initial(seed, agent, encoding.size, hidden, actions, LAST_GAIN)
    kind = StateNetworkPolicy if encoding.states else NetworkPolicy
    return kind(theta, encoding, hidden, actions, regularization)
