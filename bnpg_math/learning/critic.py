"""The centralised critic: a network from what the whole team sees to a value, on the normaliser's scale.

A pass climbs the mean of -(1/2) (v - G)^2, or, as PPO has it, of the worse of that and of the same with v
held within `clip` of what the critic said before the round.
"""

import math
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.by_two import places_of
from bnpg_math.arrays.named import Arrays
from bnpg_math.learning.adam import shortened
from bnpg_math.learning.minibatches import minibatches
from bnpg_math.learning.optimiser import Optimiser
from bnpg_math.networks.mlp import backpropagate, outputs
from bnpg_math.networks.tiles import CHUNK, padded


@dataclass(frozen=True)
class CriticSettings:
    """How a pass of the critic goes.

    Parameters
    ----------
    parts : int
        Minibatches of a pass, at least 1.
    clip : float
        How far v may go from what it was; infinity for no limit.
    longest : float
        Length of a gradient at the most; infinity for no limit.
    """

    parts: int = 1
    clip: float = math.inf
    longest: float = math.inf


def critic_values(theta: Arrays, inputs: FloatArray) -> FloatArray:
    """Return what the critic says, by the tile rule.

    Parameters
    ----------
    theta : dict from str to array
        Of a network with one output, `bnpg_math.networks.mlp.initial`.
    inputs : (n, D) float
        What the team sees.

    Returns
    -------
    (n,) float
        On the normaliser's scale.
    """
    found = np.empty(len(inputs))
    for start in range(0, len(inputs), CHUNK):
        part = slice(start, min(start + CHUNK, len(inputs)))
        found[part] = outputs(theta, padded(inputs[part]))[: part.stop - start, 0]
    return found


def critic_gradient(
    theta: Arrays, inputs: FloatArray, targets: FloatArray, before: FloatArray, clip: float
) -> Arrays:
    """Return the gradient, uphill, of what a pass climbs.

    Parameters
    ----------
    theta : dict from str to array
    inputs : (n, D) float
    targets, before : (n,) float
        G, and what the critic said before the round, on the normaliser's scale.
    clip : float
        > 0; infinity for no limit.

    Returns
    -------
    dict from str to array
    """
    count = len(inputs)

    def pull(part: slice, found: FloatArray) -> FloatArray:
        value, old, target = found[:, 0], before[part], targets[part]
        error = value - target
        within = np.abs(value - old) <= clip
        # Not held by adding the difference again: that rounds, and is not what came.
        worst = (old + np.clip(value - old, -clip, clip) - target) ** 2
        # Where v is held and that is the worse one, nothing is to be gained by moving v.
        moving = within | (error * error >= worst)
        return np.where(moving, -error / count, 0.0)[:, None]

    return backpropagate(theta, count, lambda part: inputs[part], pull)


def critic_pass(
    theta: Arrays,
    state: Arrays,
    inputs: FloatArray,
    targets: FloatArray,
    before: FloatArray,
    settings: CriticSettings,
    optimiser: Optimiser,
    eta: float,
    address: tuple[int, int, int],
    number: int,
) -> tuple[Arrays, Arrays]:
    """Go through a round once.

    Parameters
    ----------
    theta, state : dict from str to array
        The critic and what its optimiser remembers.
    inputs, targets, before
        As in :func:`critic_gradient`, of all steps and lanes.
    settings : CriticSettings
    optimiser : Optimiser
    eta : float
        Step size.
    address : tuple of int
        Seed, index (N), and round of the order.
    number : int
        Which pass it is.

    Returns
    -------
    theta, state : dict from str to array
    """
    seed, index, round_ = address
    for rows in minibatches(seed, index, round_, number, len(inputs), settings.parts):
        slope = critic_gradient(theta, inputs[rows], targets[rows], before[rows], settings.clip)
        theta, state = optimiser.step(theta, shortened(slope, settings.longest), state, eta)
    return theta, state


_ROUNDED = 1e-12
"""Relative difference of returns that may be rounding."""


def explained_variance(values: FloatArray, returns: FloatArray) -> float | None:
    """Share of the variance of the returns that the critic foresaw; None where they vary by rounding only.

    1 at best, 0 for a constant, negative for worse than that.
    """
    largest = float(np.abs(returns).max(initial=0.0))
    if not largest or float(np.ptp(returns)) <= _ROUNDED * largest:
        return None
    places = places_of(largest)
    if places:
        values, returns = np.ldexp(values, -places), np.ldexp(returns, -places)
    return 1.0 - float((returns - values).var()) / float(returns.var())
