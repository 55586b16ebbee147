"""Sampled estimates of the shared gradient signal.

The exact signal is the tensor W(s, a) = d(s) pi(a|s) Q(s, a). A sampled one has the same meaning with
sparse support: triples (s, a, weight), whose weights estimate visitation times return. An agent sums them
over its own family (:func:`sampled_flow`) and goes on exactly as with W.

A round has B lanes. Episode lengths are drawn before the round and sorted in descending order, so the
lanes alive at step t are a prefix, and a round is a list over t of arrays of non-increasing length n_t.

Three horizons:

``T`` (an int)
    Every episode has T steps; weights gamma^t G_t. Simple, but biased by O(gamma^T).
``"geometric"``
    An episode goes on with probability gamma. Survival supplies the discount, so weights are undiscounted
    returns to go and the estimate is unbiased. With T0 *sure steps* an episode lasts T0 steps and one more
    before survival begins; until then rewards are discounted as such, gamma^min(t, T0), so the estimate stays
    unbiased, and the length is less of a lottery.
``"geometric-visit"``
    One step a lane counts: the one at a first geometric time, with the rewards of a second geometric
    time from there on, times 1/(1 - gamma). Unbiased too, with independent visits but higher variance.

Any baseline b(s) that does not depend on the lane's own actions leaves the expectation unchanged.
``"cross-fit"`` takes it from the other half of the lanes. ``"centred"`` subtracts the mean reward of the
other half from every reward first: undiscounted returns carry the noise of the length, and centred ones
hardly do. Any constant c will do, since a score has mean 0 given everything before it, and the lengths are
drawn before all actions.

``"td"`` puts a value of the next state in the place of what follows a step, from the other half as well: less
noise, and an error that goes with the lanes (:mod:`bnpg_math.learning.temporal_differences`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.by_two import standard_error
from bnpg_math.arrays.cells import cells
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.errors import InputError
from bnpg_math.learning.temporal_differences import temporal_weights

Horizon: TypeAlias = int | Literal["geometric", "geometric-visit"]
Baseline: TypeAlias = Literal["none", "cross-fit", "centred", "td"]

HORIZONS: tuple[str, ...] = ("geometric", "geometric-visit")
BASELINES: tuple[str, ...] = ("none", "cross-fit", "centred", "td")

# Steps that are summed at once: few enough to stay in a core's cache on their way.
_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class ReturnStatistics:
    """Mean return of a round's lanes and its standard error (None with a single lane)."""

    mean: float
    stderr: float | None


def _geometric(gamma: float, draws: FloatArray) -> NDArray[np.int64]:
    """How often an event of probability gamma happens in a row: P(k >= n) = gamma^n."""
    if gamma == 0.0:
        return np.zeros(draws.shape, dtype=np.int64)
    # 1 - u is at least 2**-53, so the result is bounded by 37 / -log(gamma).
    result: NDArray[np.int64] = np.floor(np.log(1.0 - draws) / math.log(gamma)).astype(np.int64)
    return result


def _episodes(
    horizon: Horizon, gamma: float, lanes: int, seed: int, round_: int, sure: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lengths, descending, and the step of each lane's visit."""
    if lanes < 1:
        raise InputError(f"lanes must be at least 1, got {lanes}")
    if not isinstance(horizon, str):
        if horizon < 1:
            raise InputError(f"horizon must be at least 1, got {horizon}")
        return np.full(lanes, horizon, dtype=np.int64), np.zeros(lanes, dtype=np.int64)
    if horizon not in HORIZONS:
        raise InputError(f"horizon must be an integer or one of {', '.join(HORIZONS)}, got {horizon!r}")
    if not 0.0 <= gamma < 1.0:
        raise InputError(f"gamma must be in [0, 1), got {gamma}")
    if sure < 0 or (sure and horizon != "geometric"):
        raise InputError(f"sure steps go before a geometric horizon, got {sure} with {horizon!r}")
    first = _geometric(gamma, uniforms(seed, Purpose.HORIZON, 0, round_, 0, lanes))
    if horizon == "geometric":
        return np.sort(first + (1 + sure))[::-1].copy(), np.zeros(lanes, dtype=np.int64)
    lengths = 1 + first + _geometric(gamma, uniforms(seed, Purpose.HORIZON, 1, round_, 0, lanes))
    order = np.argsort(-lengths, kind="stable")
    return lengths[order], first[order]


def episode_lengths(
    horizon: Horizon,
    gamma: float,
    lanes: int,
    seed: int,
    round: int,  # noqa: A002
    sure: int = 0,
) -> NDArray[np.int64]:
    """Steps of every lane in a round, in descending order.

    Parameters
    ----------
    horizon : int or {"geometric", "geometric-visit"}
        See the module's text.
    gamma : float
        Discount in [0, 1).
    lanes : int
        B >= 1.
    seed, round : int
        Address of the stream; the same lengths come out in every process.
    sure : int
        T0 >= 0, sure steps before survival begins; only with ``"geometric"``.

    Returns
    -------
    (B,) int
        At least 1, non-increasing.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """
    return _episodes(horizon, gamma, lanes, seed, round, sure)[0]


def visit_times(
    horizon: Horizon,
    gamma: float,
    lanes: int,
    seed: int,
    round: int,  # noqa: A002
) -> NDArray[np.int64]:
    """The step of every lane that counts under ``"geometric-visit"``; zeros otherwise.

    Parameters
    ----------
    horizon, gamma, lanes, seed, round
        As in :func:`episode_lengths`, with whose lanes these are aligned.

    Returns
    -------
    (B,) int
        Smaller than the lane's length.
    """
    return _episodes(horizon, gamma, lanes, seed, round)[1]


def returns_to_go(
    rewards: Sequence[FloatArray],
    discount: float | Sequence[float],
    out: Sequence[FloatArray] | None = None,
) -> Sequence[FloatArray]:
    """Sum of the rewards from each step on, while the lane is alive.

    Parameters
    ----------
    rewards : list over t of (n_t,) float
        n_t non-increasing.
    discount : float, or a list over t of them
        Factor a step, in [0, 1].
    out : list over t of (n_t,) float, optional
        Where the result goes; new arrays by default.

    Returns
    -------
    list over t of (n_t,) float
        G_t = r_t + discount_t G_{t+1}.
    """
    returns = [np.empty(reward.size) for reward in rewards] if out is None else out
    following = np.empty(0)
    factors = [discount] * len(rewards) if isinstance(discount, float) else discount
    for value, reward, factor in zip(reversed(returns), reversed(rewards), reversed(factors), strict=True):
        _discounted(reward, factor, following, value)
        following = value
    return returns


def _discounted(reward: FloatArray, discount: float, following: FloatArray, out: FloatArray) -> None:
    """Put reward + discount following into `out`, which may be where `following` is."""
    alive = following.size
    np.multiply(following, discount, out=out[:alive])
    out[:alive] += reward[:alive]
    out[alive:] = reward[alive:]


def signal_weights(
    rewards: Sequence[FloatArray],
    states: Sequence[IntArray],
    gamma: float,
    horizon: Horizon,
    baseline: Baseline,
    n_states: int,
    visits: IntArray | None = None,
    sure: int = 0,
) -> FloatArray:
    """Weights of the sampled signal, one a lane and step, already divided by the number of lanes.

    Parameters
    ----------
    rewards : list over t of (n_t,) float
        Team rewards of the lanes alive at t.
    states : list over t of (n_t,) int
        Their states before the reward.
    gamma : float
        Discount in [0, 1).
    horizon : int or {"geometric", "geometric-visit"}
        What the episode lengths were drawn for.
    baseline : {"none", "cross-fit", "centred", "td"}
        What is subtracted from the returns, and from the rewards before; or what takes their place. ``"td"``
        is not for ``"geometric-visit"``, where what follows the one step that counts is all that is known.
    n_states : int
        S.
    visits : (B,) int, optional
        From :func:`visit_times`; needed for ``"geometric-visit"`` only.
    sure : int
        As in :func:`episode_lengths`.

    Returns
    -------
    (sum n_t,) float
        Step after step. Summing them over (s, a) estimates W(s, a), up to the baseline.

    Raises
    ------
    InputError
        If the baseline is unknown or not for the horizon, or the visits are missing.
    """
    if baseline not in BASELINES:
        raise InputError(f"baseline must be one of {', '.join(BASELINES)}, got {baseline!r}")
    if baseline == "td" and horizon == "geometric-visit":
        raise InputError("baseline 'td' is for horizon 'geometric' or a number of steps")
    lanes = rewards[0].size
    discount = _discounts(horizon, gamma, len(rewards), sure)
    sizes = [reward.size for reward in rewards]
    weights = np.empty(sum(sizes))
    returns = np.split(weights, np.cumsum(sizes)[:-1])
    scales = _step_scales(sizes, gamma, horizon, visits, sure)
    if baseline == "td":
        temporal_weights(rewards, states, gamma, discount, n_states, out=returns)
    else:
        returns_to_go(rewards, discount, out=returns)
    if baseline in ("cross-fit", "centred"):
        # From its visit on, a lane's remaining length is geometric; before, it is longer and its returns
        # would not estimate the value.
        counted = None if visits is None else [t >= visits[: r.size] for t, r in enumerate(returns)]
        known = _means_to_go(rewards, discount) if baseline == "centred" else None
        _subtract_cross_fit(returns, states, n_states, counted, known)
    for value, scale in zip(returns, scales, strict=True):
        np.multiply(value, scale, out=value)
        np.divide(value, lanes, out=value)
    return weights


def _discounts(horizon: Horizon, gamma: float, steps: int, sure: int) -> list[float]:
    """With what a return is multiplied on its way from each step to the one before."""
    if not isinstance(horizon, str):
        return [gamma] * steps
    # Where survival supplies the discount, there is none.
    return [gamma] * min(sure, steps) + [1.0] * max(steps - sure, 0)


def _step_scales(
    alive: Sequence[int], gamma: float, horizon: Horizon, visits: IntArray | None, sure: int
) -> Sequence[FloatArray | float]:
    """What each step's return is multiplied with, before the division by the lanes."""
    if not isinstance(horizon, str):
        return [gamma**t for t in range(len(alive))]
    if horizon == "geometric":
        return [gamma ** min(t, sure) for t in range(len(alive))]
    if visits is None:
        raise InputError("horizon 'geometric-visit' needs the lanes' visit times")
    return [(visits[:n] == t) / (1.0 - gamma) for t, n in enumerate(alive)]


def _means_to_go(
    rewards: Sequence[FloatArray], discount: Sequence[float]
) -> tuple[list[FloatArray], list[FloatArray]]:
    """What every lane would get from each step on if all its rewards were a half's mean reward.

    Returns
    -------
    own, other : lists over t of (n_t,) float
        With the mean reward of the lane's own half, and of the other one.
    """
    means = []
    for parity in (0, 1):
        received = [reward[parity::2] for reward in rewards]
        steps = sum(map(len, received))
        means.append(left_sum(float(reward.sum()) for reward in received) / max(steps, 1))
    parity_of = np.arange(rewards[0].size) % 2
    steps_to_go = returns_to_go([np.ones(reward.size) for reward in rewards], discount)
    own, other = np.take(means, parity_of), np.take(means, 1 - parity_of)
    return (
        [own[: steps.size] * steps for steps in steps_to_go],
        [other[: steps.size] * steps for steps in steps_to_go],
    )


def _subtract_cross_fit(
    returns: Sequence[FloatArray],
    states: Sequence[IntArray],
    n_states: int,
    counted: Sequence[NDArray[np.bool_]] | None,
    means_to_go: tuple[list[FloatArray], list[FloatArray]] | None = None,
) -> None:
    """Subtract each lane's baseline: the mean return to go, by state, of the lanes of the other parity.

    Lengths are drawn before any action, so given the lengths a lane's actions are independent of the other
    half: the baseline stays out of the expectation although the lanes were sorted. With `means_to_go` every
    reward is centred first. What a lane is compared with must know nothing of its own half, so the other
    half's returns are centred by the other half's mean reward too.
    """
    parity = (np.arange(returns[0].size) % 2).astype(np.uint8)
    keys = [cells((parity[: state.size], state), (2, n_states)) for state in states]
    visits, sums = np.zeros((2, n_states)), np.zeros((2, n_states))
    for t, (key, value) in enumerate(zip(keys, returns, strict=True)):
        # Step after step in one table, so that sums run in the order of steps and lanes.
        where, taken = key.astype(np.intp), value
        if means_to_go is not None:
            taken = value - means_to_go[0][t]
        if counted is not None:
            where, taken = where[counted[t]], taken[counted[t]]
        np.add.at(visits.reshape(-1), where, 1.0)
        np.add.at(sums.reshape(-1), where, taken)
    overall = sums.sum(axis=1, keepdims=True) / np.maximum(visits.sum(axis=1, keepdims=True), 1.0)
    means = np.where(visits > 0.0, sums / np.maximum(visits, 1.0), overall)
    other = means[::-1].reshape(-1)
    for t, (key, value) in enumerate(zip(keys, returns, strict=True)):
        if means_to_go is not None:
            np.subtract(value, means_to_go[1][t], out=value)
        np.subtract(value, other.take(key), out=value)


def sampled_flow(
    states: IntArray,
    parent_actions: Sequence[IntArray],
    actions: IntArray,
    weights: FloatArray,
    shape: tuple[int, ...],
) -> FloatArray:
    """One agent's estimate of m^i(s, aP, ai), from its own family's actions only.

    Parameters
    ----------
    states, actions : (K,) int
        All visited steps, laid end to end.
    parent_actions : sequence of k arrays (K,) int
        In ascending agent index.
    weights : (K,) float
        From :func:`signal_weights`.
    shape : tuple of int
        ``(S, A_p1, .., A_pk, A_i)``.

    Returns
    -------
    (S, A_p1, .., A_pk, A_i) float
        Summed in the order given, hence the same bits in every process.
    """
    sums = np.zeros(math.prod(shape))
    for start in range(0, len(weights), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        places = cells([column[part] for column in (states, *parent_actions, actions)], shape)
        np.add.at(sums, places.astype(np.intp), weights[part])
    return sums.reshape(shape)


def return_statistics(
    rewards: Sequence[FloatArray],
    gamma: float,
    horizon: Horizon,
    visits: IntArray | None = None,
    sure: int = 0,
) -> ReturnStatistics:
    """Mean of the lanes' returns, an estimate of V(mu), and its standard error.

    Parameters
    ----------
    rewards : list over t of (n_t,) float
        n_t non-increasing.
    gamma : float
        Discount in [0, 1).
    horizon : int or {"geometric", "geometric-visit"}
        Returns are discounted for an integer and undiscounted sums otherwise; under
        ``"geometric-visit"`` only up to the visit, a single geometric time.
    visits : (B,) int, optional
        From :func:`visit_times`; needed for ``"geometric-visit"`` only.
    sure : int
        As in :func:`episode_lengths`.

    Returns
    -------
    ReturnStatistics
        `stderr` is None when there is a single lane.
    """
    if horizon == "geometric-visit":
        if visits is None:
            raise InputError("horizon 'geometric-visit' needs the lanes' visit times")
        rewards = [np.where(t <= visits[: r.size], r, 0.0) for t, r in enumerate(rewards)]
    returns, discounts = np.zeros_like(rewards[0]), _discounts(horizon, gamma, len(rewards), sure)
    alive = 0
    for reward, discount in zip(reversed(rewards), reversed(discounts), strict=True):
        _discounted(reward, discount, returns[:alive], returns[: reward.size])
        alive = reward.size
    stderr = standard_error(returns) if returns.size > 1 else None
    return ReturnStatistics(mean=float(returns.mean()), stderr=stderr)
