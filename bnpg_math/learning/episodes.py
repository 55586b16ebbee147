"""Sampled estimates where episodes end by themselves: all lanes make all steps, and episodes follow in them.

The objective is the discounted return of an episode. Update (3) follows sum over its steps of
gamma^k (G_k - b) grad log pi, averaged over the episodes begun, with k steps into the episode, G_k the
discounted return to go until it ends or the round does, and a baseline b that knows nothing of the lane's own
half. An episode that the round's end cuts counts with what it got so far.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.by_two import standard_error
from bnpg_math.learning.estimators import ReturnStatistics
from bnpg_math.learning.strata import means

EpisodeBaseline = Literal["none", "cross-fit"]


def episode_returns_to_go(rewards: FloatArray, over: NDArray[np.bool_], gamma: float) -> FloatArray:
    """Return the discounted sum of the rewards until the episode ends, or the round.

    Parameters
    ----------
    rewards : (T, B) float
        Team rewards.
    over : (T, B) bool
        Whether a step was the last of its episode.
    gamma : float
        In [0, 1].

    Returns
    -------
    (T, B) float
        G_t = r_t + gamma (1 - over_t) G_{t+1}.
    """
    returns = np.array(rewards, dtype=np.float64)
    some: list[bool] = np.logical_or.reduce(over, axis=1).tolist()
    for t in range(len(returns) - 2, -1, -1):
        later = returns[t + 1] if gamma == 1.0 else gamma * returns[t + 1]
        returns[t] += np.where(over[t], 0.0, later) if some[t] else later
    return returns


def steps_into_episode(over: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many steps of its episode a lane has made before each step, (T, B) int."""
    into = np.zeros(over.shape, dtype=np.int64)
    some: list[bool] = np.logical_or.reduce(over, axis=1).tolist()
    for t in range(1, len(over)):
        np.add(into[t - 1], 1, out=into[t])
        if some[t - 1]:
            into[t][over[t - 1]] = 0
    return into


def episode_weights(
    rewards: FloatArray,
    over: NDArray[np.bool_],
    gamma: float,
    baseline: EpisodeBaseline,
    strata: IntArray,
    n_strata: int,
) -> FloatArray:
    """Return a weight for every step and lane, already divided by the number of episodes begun.

    Parameters
    ----------
    rewards, over, gamma
        As in :func:`episode_returns_to_go`.
    baseline : {"none", "cross-fit"}
        Subtract nothing, or the mean return to go in the same stratum of the lanes of the other parity.
    strata : (T, B) int
        In 0..n_strata-1, known before the action.
    n_strata : int

    Returns
    -------
    (T * B,) float
        Step after step.
    """
    weights = episode_returns_to_go(rewards, over, gamma)
    if baseline == "cross-fit":
        weights -= _other_half(weights, strata, n_strata)
    if gamma != 1.0:
        factors = np.array([gamma**step for step in range(len(over))])
        weights *= factors.take(steps_into_episode(over))
    weights /= rewards.shape[1] + np.count_nonzero(over[:-1])
    return weights.reshape(-1)


def _other_half(returns: FloatArray, strata: IntArray, n_strata: int) -> FloatArray:
    """Return each lane's baseline: the other half's mean in its stratum, or over all of them."""
    baseline = np.zeros_like(returns)
    for parity in (0, 1):
        where = strata[:, 1 - parity :: 2].reshape(-1).astype(np.intp)
        taken = returns[:, 1 - parity :: 2].reshape(-1)
        baseline[:, parity::2] = means(taken, where, n_strata).take(strata[:, parity::2])
    return baseline


def episode_statistics(rewards: FloatArray, over: NDArray[np.bool_]) -> ReturnStatistics | None:
    """Return mean and standard error of the returns of the episodes that ended; None if none did.

    These returns are not discounted.

    Parameters
    ----------
    rewards, over
        As in :func:`episode_returns_to_go`.
    """
    returns = episode_returns_to_go(rewards, over, 1.0)
    first = steps_into_episode(over) == 0
    # Whole episodes only: an episode that began after the lane's last end was cut.
    ended = np.flip(np.logical_or.accumulate(np.flip(over, axis=0), axis=0), axis=0)
    whole = returns[first & ended]
    if not whole.size:
        return None
    stderr = standard_error(whole) if whole.size > 1 else None
    return ReturnStatistics(mean=float(whole.mean()), stderr=stderr)
