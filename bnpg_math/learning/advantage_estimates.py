"""Generalised advantage estimates (Schulman et al., ICLR 2016) where episodes end within a round.

With a critic V, delta_t = r_t + gamma V(next) - V(s_t) and A_t = delta_t + gamma lambda A_{t+1}. Where an
episode terminates, the next value is 0; where it is truncated, or the round ends, it is the critic's of what
would have been seen next. In both cases no later delta counts: no episode goes on in the next one.
"""

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray

Flags = NDArray[np.bool_]


def advantage_estimates(
    rewards: FloatArray,
    values: FloatArray,
    after: FloatArray,
    terminated: Flags,
    truncated: Flags,
    gamma: float,
    lam: float,
) -> tuple[FloatArray, FloatArray]:
    """Return the advantage of every step, and the return that the critic is to learn.

    Parameters
    ----------
    rewards, values : (T, B) float
        Team rewards, and V of what was seen before the step.
    after : (T, B) float
        V of what would have been seen after the step, in the same episode. It counts only where a step was
        truncated, and in the last row; elsewhere it may be anything.
    terminated, truncated : (T, B) bool
        How the step left its episode; both: it is over.
    gamma, lam : float
        Discount and lambda, in [0, 1].

    Returns
    -------
    advantages, returns : (T, B) float
        Returns are advantages + values.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    shapes = {array.shape for array in (rewards, values, after, terminated, truncated)}
    if len(shapes) != 1:
        raise ValueError(f"rewards, values and ends must share a shape, got {sorted(shapes)}")
    advantages = np.zeros_like(rewards, dtype=np.float64)
    onwards = np.zeros(rewards.shape[1:])
    steps = len(rewards)
    for t in range(steps - 1, -1, -1):
        ended = terminated[t] | truncated[t]
        next_value = np.where(ended, after[t], values[t + 1]) if t + 1 < steps else after[t]
        delta = rewards[t] + gamma * np.where(terminated[t], 0.0, next_value) - values[t]
        onwards = delta + gamma * lam * np.where(ended, 0.0, onwards)
        advantages[t] = onwards
    return advantages, advantages + values


def standardised(advantages: FloatArray, counted: Flags) -> FloatArray:
    """Shift and scale advantages to mean 0 and deviation 1 over what counts.

    Parameters
    ----------
    advantages : (..) float
    counted : (..) bool
        Where somebody learns from it.

    Returns
    -------
    (..) float
        0 where nothing counts. All 0 if those that count are equal.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if advantages.shape != counted.shape:
        raise ValueError(f"expected one flag an advantage, got {advantages.shape} and {counted.shape}")
    taken = advantages[counted]
    if not taken.size:
        return np.zeros_like(advantages)
    centred = np.where(counted, advantages - taken.mean(), 0.0)
    deviation = float(taken.std())
    # Equal numbers deviate by rounding, which must not be blown up to 1.
    if deviation <= 1e-12 * float(np.abs(taken).max()):
        return np.zeros_like(advantages)
    return centred / deviation
