"""Adam (Kingma & Ba, ICLR 2015) uphill, as an `Optimiser`, and the limit on the length of a gradient."""

import math
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.arrays.named import Arrays

STEPS = "steps"
"""Name of the count of steps in Adam's state, a (1,) float."""


@dataclass(frozen=True)
class Adam:
    """m <- b1 m + (1-b1) g, v <- b2 v + (1-b2) g^2, theta <- theta + eta m' / (sqrt(v') + epsilon).

    m' and v' are m / (1 - b1^t) and v / (1 - b2^t) after t steps. The state holds `first.NAME` and
    `second.NAME` of every parameter, and `steps`.

    Parameters
    ----------
    first, second : float
        b1 and b2, in [0, 1).
    epsilon : float
        > 0.
    """

    first: float = 0.9
    second: float = 0.999
    epsilon: float = 1e-5

    def step(self, theta: Arrays, gradient: Arrays, state: Arrays, eta: float) -> tuple[Arrays, Arrays]:
        """Take a step."""
        steps = float(state[STEPS][0]) + 1.0 if state else 1.0
        unbiased = 1.0 - self.first**steps, 1.0 - self.second**steps
        moved: dict[str, FloatArray] = {}
        memory: dict[str, FloatArray] = {STEPS: np.array([steps])}
        for name, array in theta.items():
            slope = gradient[name]
            before = (state[f"first.{name}"], state[f"second.{name}"]) if state else (0.0, 0.0)
            mean = self.first * before[0] + (1.0 - self.first) * slope
            square = self.second * before[1] + (1.0 - self.second) * (slope * slope)
            step = (mean / unbiased[0]) / (np.sqrt(square / unbiased[1]) + self.epsilon)
            moved[name] = array + eta * step
            memory[f"first.{name}"], memory[f"second.{name}"] = mean, square
        return moved, memory


def norm(gradient: Arrays) -> float:
    """Euclidean length of a gradient over all its arrays, summed in the order of their names."""
    return math.sqrt(left_sum(float((array * array).sum()) for _, array in sorted(gradient.items())))


def shortened(gradient: Arrays, longest: float) -> Arrays:
    """Return the gradient, scaled down to a length if it is longer.

    Parameters
    ----------
    gradient : dict from str to array
    longest : float
        > 0; infinity for no limit.

    Returns
    -------
    dict from str to array
        New arrays, or the very arrays that came in.
    """
    length = norm(gradient)
    if not length > longest:
        return gradient
    return {name: array * (longest / length) for name, array in gradient.items()}
