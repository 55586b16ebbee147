"""Weights from temporal differences: what a step earns, and what the state that it leads to is worth.

A return to go holds the noise of every step that follows. Here the state that comes next stands for them, by
a value that the other half of the lanes gives it: least-squares temporal differences, the values at which
every state is worth what steps in it earned and led to (Bradtke and Barto, "Linear least-squares algorithms
for temporal difference learning", 1996). What is left is the noise of one step, and the error of the values.

The other half cannot value a state in which it took few steps. Behind such a state the lane's own rewards
count, up to the next one that is valued or to the lane's end: in a game with more states than steps that is
the return to go again.

Whether a lane goes on after a step was drawn before all actions. So a step that nothing follows is left out,
and the others are divided by the probability that something does. Where nothing can follow (gamma = 0, the
last step of a fixed horizon) the reward is all there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.learning.strata import means

ENOUGH = 16
"""Steps that a half must have taken in a state, and gone on from, to say what it is worth."""
PASSES = 200
"""Most passes over the values: what is reached by then stands, as values need not be exact."""
TOLERANCE = 1e-6
"""Of the largest value: a pass that changes less is the last."""
_TABLE = 1 << 20
"""Pairs of states that are counted in a table; more of them are sorted."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Steps:
    """Steps of a round, end to end, time by time, (K,) each."""

    reward: FloatArray
    state: IntArray
    goes_on: Mask
    following: IntArray
    """Where the lane's next step is, if it goes on; else anywhere."""
    discount: FloatArray
    """Of that step's return."""
    starts: IntArray
    """Where the steps of every time begin."""


@dataclass(frozen=True)
class _Targets:
    """What steps estimate: `constant + factor * values[valued]`, with values that are yet to be found."""

    constant: FloatArray
    factor: FloatArray
    valued: IntArray

    def at(self, values: FloatArray) -> FloatArray:
        """Return the estimates for these values."""
        estimates: FloatArray = self.constant + self.factor * values[self.valued]
        return estimates


def temporal_weights(
    rewards: Sequence[FloatArray],
    states: Sequence[IntArray],
    gamma: float,
    discounts: Sequence[float],
    n_states: int,
    out: Sequence[FloatArray],
) -> None:
    """Estimate Q(s, a) - b(s) for every lane and step.

    Parameters
    ----------
    rewards, states : lists over t of (n_t,) float and int
        Team rewards of the lanes alive at t, n_t non-increasing, and their states before them.
    gamma : float
        Discount in [0, 1).
    discounts : list over t of float
        With what a return is multiplied on its way from the step after: gamma, or 1 where survival with
        probability gamma is the discount.
    n_states : int
        S.
    out : list over t of (n_t,) float
        Where the estimates go. Those of lanes of one half depend on the other half's actions through values
        alone.
    """
    halves = [
        _end_to_end(
            [reward[parity::2] for reward in rewards], [state[parity::2] for state in states], discounts
        )
        for parity in (0, 1)
    ]
    for parity in (0, 1):
        found = _weighed(halves[parity], halves[1 - parity], gamma, n_states)
        for estimates, start in zip(out, halves[parity].starts, strict=True):
            own = estimates[parity::2]
            own[:] = found[start : start + own.size]


def _end_to_end(
    rewards: Sequence[FloatArray], states: Sequence[IntArray], discounts: Sequence[float]
) -> _Steps:
    sizes = np.array([reward.size for reward in rewards])
    starts = np.cumsum(sizes) - sizes
    place = np.arange(sizes.sum())
    following = place + np.repeat(sizes, sizes)
    goes_on = following < np.repeat(np.append(starts[1:], 0) + np.append(sizes[1:], 0), sizes)
    return _Steps(
        np.concatenate(rewards),
        np.concatenate(states).astype(np.intp),
        goes_on,
        np.where(goes_on, following, 0),
        np.repeat(np.asarray(discounts, dtype=np.float64), sizes),
        starts,
    )


def _weighed(steps: _Steps, others: _Steps, gamma: float, n_states: int) -> FloatArray:
    """Return the weights of the steps of a half, by what the other half knows."""
    # The mean is taken from every reward: where no state is valued, most noise of the length goes with it.
    mean = float(others.reward.sum()) / max(1, others.reward.size)
    informing = np.flatnonzero(others.goes_on)
    left = others.state[informing]
    number = _numbered(np.bincount(left, minlength=n_states) >= ENOUGH)
    theirs = _targets(others, mean, number, gamma)
    values = _values(theirs, informing, number[left], int(number.max()) + 1)
    baseline = means(theirs.at(values)[informing], left, n_states)
    weights = _targets(steps, mean, number, gamma).at(values) - baseline[steps.state]
    chance = np.where(steps.discount == gamma, 1.0, gamma)
    weights /= np.where(chance > 0.0, chance, 1.0)
    last = np.flatnonzero(~steps.goes_on)
    alone = steps.reward[last] - means(others.reward, others.state, n_states)[steps.state[last]]
    weights[last] = np.where((chance[last] > 0.0) & (chance[last] < 1.0), 0.0, alone)
    return weights


def _numbered(known: Mask) -> IntArray:
    """Return the number among the known states of each of them, and -1 for the others."""
    return np.where(known, np.cumsum(known) - 1, -1)


def _targets(steps: _Steps, mean: float, number: IntArray, gamma: float) -> _Targets:
    """Return what steps that go on earn, less a mean, and lead to, with values of the known states."""
    reward = steps.reward - mean
    # What being in each step's state is worth: its value, or what the lane earned until one is known.
    valued = number[steps.state]
    is_known = valued >= 0
    constant = np.where(is_known, 0.0, reward)
    factor = is_known.astype(np.float64)
    valued = np.maximum(valued, 0)
    through = np.flatnonzero(~is_known & steps.goes_on)
    for part in _times(steps, through):
        step = through[part]
        then, discount = steps.following[step], steps.discount[step]
        constant[step] += discount * constant[then]
        factor[step] = discount * factor[then]
        valued[step] = valued[then]
    then = steps.following
    return _Targets(reward + gamma * constant[then], gamma * factor[then], valued[then])


def _times(steps: _Steps, places: IntArray) -> list[slice]:
    """Return the parts of ascending places that are of one time each, latest first."""
    if not places.size:
        return []
    bounds = np.searchsorted(places, np.append(steps.starts, steps.reward.size))
    return [slice(low, high) for low, high in pairwise(bounds) if high > low][::-1]


def _values(targets: _Targets, steps: IntArray, number: IntArray, known: int) -> FloatArray:
    """Return the values, (max(1, known),), at which each known state is the mean of its steps' targets."""
    values = np.zeros(max(1, known))
    if not known:
        return values
    where, state = steps[number >= 0], number[number >= 0]
    visits = np.bincount(state, minlength=known)
    constant = np.bincount(state, targets.constant[where], minlength=known) / visits
    pairs, factors = _sums(state * known + targets.valued[where], targets.factor[where], known * known)
    left, entered = np.divmod(pairs, known)
    factors = factors / visits[left]
    shared = np.bincount(left, factors, minlength=known)  # what a part that all states share becomes
    share = visits / visits.sum()
    for _ in range(PASSES):
        missing = constant + np.bincount(left, factors * values[entered], minlength=known) - values
        # The part that all share is what passes are slow at; it is found at once.
        change = missing + shared * ((share * missing).sum() / (1.0 - (share * shared).sum()))
        values += change
        if np.abs(change).max() <= TOLERANCE * np.abs(values).max():
            break
    return values


def _sums(keys: IntArray, amounts: FloatArray, length: int) -> tuple[IntArray, FloatArray]:
    """Return the keys below a length that occur, ascending, and the sum of the amounts of each."""
    if length <= _TABLE:
        occurring = np.flatnonzero(np.bincount(keys, minlength=length))
        sums = np.bincount(keys, amounts, minlength=length)[occurring]
    else:
        occurring, which = np.unique(keys, return_inverse=True)
        sums = np.bincount(which, amounts)
    return occurring, np.asarray(sums, dtype=np.float64)
