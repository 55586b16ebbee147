"""What a transition kernel can do, whatever it is stored as."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Chain: TypeAlias = FloatArray | csr_array[Any]
"""The state's Markov chain under a policy, ``[S, S]``, dense or sparse."""

Apply: TypeAlias = Callable[[FloatArray], FloatArray]
"""A linear map of vectors over the states."""


class Transition(Protocol):
    """P(s'|s, a) of a game, a distribution over s' for every state and joint action.

    Implementations are immutable. None needs to hold the tensor ``[S, A_1, .., A_N, S]``.
    """

    @property
    def states(self) -> int:
        """Number of states, S."""

    @property
    def actions(self) -> tuple[int, ...]:
        """Action counts (A_1, .., A_N)."""

    @property
    def draws(self) -> int:
        """How many uniforms a lane needs for one step."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What was changed when the numbers were taken in, a line each; see `probabilities.distributions`."""

    def expectation(self, value: FloatArray) -> FloatArray:
        """Expected value of the next state, sum_s' P(s'|s, a) value(s').

        Parameters
        ----------
        value : (S,) float

        Returns
        -------
        (S, A_1, .., A_N) float
            Possibly a read-only broadcast view.
        """

    def under(self, pi: FloatArray) -> "Chain":
        """P_pi[s, s'] = sum_a pi(a|s) P(s'|s, a).

        Parameters
        ----------
        pi : (S, A_1, .., A_N) float

        Returns
        -------
        (S, S) float, an array or a scipy sparse array
        """

    def along(self, pi: FloatArray) -> "tuple[Apply, Apply]":
        """P_pi as two functions, x -> P_pi x and x -> P_pi^T x: without its matrix where structure saves it.

        Parameters
        ----------
        pi : (S, A_1, .., A_N) float
            Must not change as long as the functions are used.

        Returns
        -------
        forward, backward : callables (S,) -> (S,)
        """

    def under_choice(self, choice: IntArray) -> "Chain":
        """The chain of a deterministic policy: rows P(.|s, a(s)).

        Parameters
        ----------
        choice : (S,) int
            A joint action for every state, as its flat position in C order of (a_1, .., a_N).

        Returns
        -------
        (S, S) float, an array or a scipy sparse array
        """

    def sample(self, states: IntArray, actions: IntArray, uniforms: FloatArray) -> IntArray:
        """Next states of B lanes.

        Parameters
        ----------
        states : (B,) int
        actions : (B,) int
            Joint actions, as flat positions in C order of (a_1, .., a_N).
        uniforms : (draws, B) float
            In [0, 1).

        Returns
        -------
        (B,) int
            In 0..S-1.
        """

    def to_dense(self) -> FloatArray:
        """The whole tensor ``[S, A_1, .., A_N, S]``; may be large."""

    def content(self) -> Iterator[NDArray[Any]]:
        """The arrays that define the kernel, in a fixed order, for digests."""


def along_chain(chain: Any) -> tuple[Apply, Apply]:
    """The two functions of :meth:`Transition.along` for a chain that is at hand as a matrix.

    Parameters
    ----------
    chain : (S, S) float, an array or a scipy sparse array

    Returns
    -------
    forward, backward : callables (S,) -> (S,)
    """
    return lambda x: chain @ x, lambda x: chain.T @ x


def along_actions(pi: FloatArray, forward: Apply, backward: Apply) -> tuple[Apply, Apply]:
    """The two functions of :meth:`Transition.along` for a kernel that forgets the current state.

    Then P_pi = pi K with K[a, s'], and each function costs two thin products.

    Parameters
    ----------
    pi : (S, A_1, .., A_N) float
    forward : callable (S,) -> (A,)
        x -> K x, over flat joint actions.
    backward : callable (A,) -> (S,)
        y -> K^T y.

    Returns
    -------
    forward, backward : callables (S,) -> (S,)
    """
    table = pi.reshape(pi.shape[0], -1)
    return lambda x: table @ forward(x), lambda x: backward(table.T @ x)


def repeated(expected: FloatArray, states: int) -> FloatArray:
    """The same table for every current state, without copies; `np.broadcast_to`, several times as fast.

    Parameters
    ----------
    expected : (A_1, .., A_N) float
    states : int
        S.

    Returns
    -------
    (S, A_1, .., A_N) float
        A read-only view.
    """
    view: FloatArray = np.ndarray(
        (states, *expected.shape), np.float64, expected, strides=(0, *expected.strides)
    )
    view.flags.writeable = False
    return view
