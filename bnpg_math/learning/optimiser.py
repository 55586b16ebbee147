"""How theta moves along a direction: one step of an optimiser, as a pure function of named arrays.

What an optimiser remembers from step to step is named arrays too, so that it is stored, lost and restored
together with theta. In an exact round the coordinator's signal says which optimiser takes the step.
"""

from dataclasses import dataclass
from typing import Protocol

from bnpg_math.arrays.named import Arrays
from bnpg_math.learning.gradient import update
from bnpg_math.learning.momentum import extrapolate


class Optimiser(Protocol):
    """One step uphill."""

    def step(self, theta: Arrays, gradient: Arrays, state: Arrays, eta: float) -> tuple[Arrays, Arrays]:
        """Take a step.

        Parameters
        ----------
        theta, gradient : dict from str to array
            Parameters, and the direction in which they are moved; the same names and shapes.
        state : dict from str to array
            What the step before left behind; empty at the beginning.
        eta : float
            Step size, > 0.

        Returns
        -------
        theta, state : dict from str to array
            New arrays, or the very arrays that came in.
        """


class PlainAscent:
    """Update (3): theta + eta g, and nothing is remembered."""

    def step(self, theta: Arrays, gradient: Arrays, state: Arrays, eta: float) -> tuple[Arrays, Arrays]:  # noqa: ARG002
        """Take a step."""
        return {name: update(array, gradient[name], eta) for name, array in theta.items()}, {}


@dataclass(frozen=True)
class Nesterov:
    """Update (3), then on along the way since the point that theta was last extrapolated from.

    That point is the state, under the names of theta; without one it is theta itself.

    Parameters
    ----------
    momentum : float
        How far theta is extrapolated, in [0, 1).
    """

    momentum: float

    def step(self, theta: Arrays, gradient: Arrays, state: Arrays, eta: float) -> tuple[Arrays, Arrays]:
        """Take a step."""
        reached = {name: update(array, gradient[name], eta) for name, array in theta.items()}
        origin = state or theta
        return {name: extrapolate(reached[name], origin[name], self.momentum) for name in theta}, reached


class Retreat:
    """Back to the point that theta was extrapolated from; what was extrapolated is forgotten."""

    def step(self, theta: Arrays, gradient: Arrays, state: Arrays, eta: float) -> tuple[Arrays, Arrays]:  # noqa: ARG002
        """Go back; the gradient is not looked at."""
        return state or theta, {}
