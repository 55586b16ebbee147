"""A multilayer perceptron: linear layers with tanh between them, and its gradient by hand.

z_1 = x W_1' + b_1, z_{k+1} = tanh(z_k) W_{k+1}' + b_{k+1}; the last z is what comes out. The parameters are
named and laid out as those of `torch.nn.Sequential(Linear, Tanh, Linear, ..)`: `0.weight` (out, in), `0.bias`
(out,), `2.weight`, and so on. Everything is float64.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import Arrays
from bnpg_math.chance.streams import Purpose, generator
from bnpg_math.errors import PolicyError
from bnpg_math.networks.tiles import CHUNK, padded, product

Inputs = Callable[[slice], FloatArray]
"""Returns the rows of a slice, (n, D) float: a whole round's need not be in memory at once."""
Pull = Callable[[slice, FloatArray], FloatArray]
"""Returns, for the rows of a slice and what came out for them, (n, K), the derivative of a sum over rows in
what came out, (n, K)."""


def shapes(inputs: int, hidden: Sequence[int], outputs: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the parameters, layer by layer.

    Parameters
    ----------
    inputs, outputs : int
        Numbers that go in and come out, at least 1.
    hidden : sequence of int
        Widths of the hidden layers; empty for a linear map.

    Returns
    -------
    dict from str to tuple of int

    Examples
    --------
    >>> shapes(3, (4,), 2)
    {'0.weight': (4, 3), '0.bias': (4,), '2.weight': (2, 4), '2.bias': (2,)}
    """
    widths = (inputs, *hidden, outputs)
    named: dict[str, tuple[int, ...]] = {}
    for layer, (before, after) in enumerate(pairwise(widths)):
        named[f"{2 * layer}.weight"] = (after, before)
        named[f"{2 * layer}.bias"] = (after,)
    return named


def initial(
    seed: int, index: int, inputs: int, hidden: Sequence[int], outputs: int, last_gain: float
) -> Arrays:
    """Return the parameters that a network starts from, keyed by the seed and its owner alone.

    Weights are orthogonal (Saxe et al. 2014) times a gain, 5/3 before a tanh; biases are 0.

    Parameters
    ----------
    seed : int
        The experiment's seed.
    index : int
        The owner: an agent i; N for the critic of N agents.
    inputs, hidden, outputs
        As in :func:`shapes`.
    last_gain : float
        Gain of the last layer: .01 makes a policy that is nearly uniform.

    Returns
    -------
    dict from str to array
    """
    named = shapes(inputs, hidden, outputs)
    last = f"{2 * len(hidden)}.weight"
    theta: dict[str, FloatArray] = {}
    for layer, (name, shape) in enumerate(named.items()):
        if len(shape) == 1:
            theta[name] = np.zeros(shape)
            continue
        drawn = generator(seed, Purpose.NET_INIT, index, step=layer).standard_normal(shape)
        theta[name] = (last_gain if name == last else 5.0 / 3.0) * orthogonal(drawn)
    return theta


def orthogonal(matrix: FloatArray) -> FloatArray:
    """Make the rows of a matrix orthonormal, or its columns if there are more rows.

    Gram and Schmidt's way, twice, which is enough for the rounding (Giraud et al. 2005): LAPACK is left out,
    as its bits are not among those that hosts compare.

    Parameters
    ----------
    matrix : (K, D) float
        Of full rank.

    Returns
    -------
    (K, D) float
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    basis = np.array(wide)
    for row in range(len(basis)):
        for _ in range(2):
            shares = (basis[:row] * basis[row]).sum(axis=1)
            basis[row] -= (shares[:, None] * basis[:row]).sum(axis=0)
        basis[row] /= np.sqrt((basis[row] * basis[row]).sum())
    return basis if matrix.shape[0] <= matrix.shape[1] else np.ascontiguousarray(basis.T)


def checked(theta: Arrays, named: dict[str, tuple[int, ...]]) -> Arrays:
    """Return the same parameters, if they are those of the network.

    Raises
    ------
    PolicyError
        Naming the first that is missing, too many or of another shape.
    """
    for name in sorted(set(theta) | set(named)):
        expected = named.get(name, "none of this name")
        got = theta[name].shape if name in theta else "none"
        if got != expected:
            raise PolicyError(f"{name} of a network must have shape {expected}, got {got}")
    return theta


def outputs(theta: Arrays, rows: FloatArray) -> FloatArray:
    """Return what comes out for every row, by the tile rule.

    Parameters
    ----------
    theta : dict from str to array
    rows : (m, D) float
        From :func:`bnpg_math.networks.tiles.padded`.

    Returns
    -------
    (m, K) float
    """
    return deque(_layers(theta, rows), maxlen=1).pop()  # one layer is kept at a time


def backpropagate(theta: Arrays, count: int, inputs: Inputs, pull: Pull) -> dict[str, FloatArray]:
    """Return the derivative of a sum over rows in all parameters.

    Rows are taken `CHUNK` at a time and summed chunk after chunk, so the bits depend on the rows and their
    order alone.

    Parameters
    ----------
    theta : dict from str to array
    count : int
        How many rows there are, at least 0.
    inputs : callable
    pull : callable
        Called once a chunk, in order.

    Returns
    -------
    dict from str to array
        Names and shapes of theta.
    """
    gradient = {name: np.zeros_like(array) for name, array in theta.items()}
    for start in range(0, count, CHUNK):
        part = slice(start, min(start + CHUNK, count))
        layers = list(_layers(theta, padded(inputs(part))))
        back = padded(pull(part, layers.pop()[: part.stop - start]))
        for layer in range(len(layers) - 1, -1, -1):
            # Let go, or overwritten, as soon as it is no longer needed: agents are to stay small.
            reached = layers.pop()
            gradient[f"{2 * layer}.weight"] += back.T @ reached
            gradient[f"{2 * layer}.bias"] += back.sum(axis=0)
            if layer:
                slope = reached
                np.multiply(slope, slope, out=slope)
                np.subtract(1.0, slope, out=slope)
                back = back @ theta[f"{2 * layer}.weight"]
                back *= slope
    return gradient


def _layers(theta: Arrays, rows: FloatArray) -> Iterator[FloatArray]:
    """Yield what goes into every layer, and last what comes out; rows are whole tiles."""
    yield rows
    last = len(theta) // 2 - 1
    for layer in range(last + 1):
        sums = product(rows, theta[f"{2 * layer}.weight"].T)
        sums += theta[f"{2 * layer}.bias"]
        rows = np.tanh(sums, out=sums) if layer < last else sums
        yield rows
