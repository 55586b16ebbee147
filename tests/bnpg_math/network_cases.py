"""What networks are tried on: inputs of both kinds, with masks, in lanes that are no whole tile."""

import numpy as np

from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.network import initial_network

NUMBERS = Encoding(0, 3, (2, 4))
STATES = Encoding(5, 0, (2,))


def case(encoding, lanes=37, actions=4, seed=0, hidden=(7, 6), regularization=0.0, masked=False):
    """A network with logits of size 1, and lanes for it: policy, seen, parents, actions, weights, legal."""
    rng = np.random.default_rng(seed)
    first = initial_network(seed, 1, encoding, hidden, actions, regularization)
    policy = first.at({name: rng.normal(size=array.shape) * 0.6 for name, array in first.theta.items()})
    if encoding.width:
        seen = rng.normal(size=(lanes, encoding.width)).astype(np.float32)
    else:
        seen = rng.integers(encoding.states, size=lanes)
    parents = [rng.integers(many, size=lanes) for many in encoding.parents]
    legal = None
    chosen = rng.integers(actions, size=lanes)
    if masked:
        legal = (rng.random((lanes, actions)) < 0.5).astype(np.uint8)
        legal[np.arange(lanes), chosen] = 1
    return policy, seen, parents, chosen, rng.normal(size=lanes), legal


def differences(height, theta, step=1e-5, most=14):
    """Central differences of a function of theta at some parameters of every array: (name, index, slope)."""
    found = []
    for name, array in theta.items():
        for flat in np.linspace(0, array.size - 1, min(array.size, most)).astype(int):
            index = np.unravel_index(flat, array.shape)
            values = []
            for by in (step, -step):
                moved = {one: values_.copy() for one, values_ in theta.items()}
                moved[name][index] += by
                values.append(height(moved))
            found.append((name, index, (values[0] - values[1]) / (2 * step)))
    return found


def agree(gradient, height, theta, tolerance=1e-6):
    for name, index, slope in differences(height, theta):
        got = gradient[name][index]
        assert abs(got - slope) <= tolerance * max(1.0, abs(slope)), (name, index, got, slope)
