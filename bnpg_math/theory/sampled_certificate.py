r"""A Nash certificate from episodes alone: Lemma 2' with confidence bounds in place of the model.

An episode has geometric length L, P(L > t) = gamma^t, and gives one sample of every entry of the value's
gradient in theta^i,

    X = sum_{j < L} (1[a_j = b] - pi(b|x_j)) 1[x_j = x] sum_{j <= k < L} (r_k - c),

whose expectation is the gradient whatever the constant c: a score has mean 0 given everything before it, and
L is drawn before. With |r - c| <= R/2 and episodes longer than Lmax counted as 0, |X| <= (R/2) Lmax (Lmax +
1)/2, at the price of a bias of at most :func:`truncation_bias`. An empirical Bernstein bound (Maurer & Pontil
2009, Theorem 4) then holds for all entries at once with probability 1 - delta, the barrier's part of the
gradient is known exactly, and where

    mean + width + bias + barrier <= lambda/(S A_P A_i)     for every entry,

Lemma 2' promises a Nash gap of at most lambda C. The constant C needs no model either: d'(s) sums to 1/(1 -
gamma) over the states whatever the policy, so C = max_s 1/(S (1 - gamma) d(s)) will do, with a lower
confidence bound of d(s) from the same episodes, or mu(s) <= d(s) where it is known.

For the promise to hold, the policy, lambda, c, Lmax and the numbers of episodes at which the bounds are
looked at are fixed before the first episode, and the episodes are fresh: none of those that trained the
policy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.by_two import moved, places_of
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.errors import InputError

ROUNDING = 2.0**-40
"""Of the largest sample: more than the sums over at most 2**30 episodes lose to rounding."""


def truncation_bias(gamma: float, spread: float, longest: int) -> float:
    """Largest change of an entry's expectation when episodes of more than `longest` steps count as 0.

    Parameters
    ----------
    gamma : float
        Discount in [0, 1).
    spread : float
        R >= 0, the largest reward less the smallest; rewards are centred.
    longest : int
        Lmax >= 1.

    Returns
    -------
    float
        E[(R/2) L(L+1)/2; L > Lmax] = gamma^m (m(m+1) + 2m/(1-gamma) + 2/(1-gamma)^2) R/4 with m = Lmax, since
        L - m is geometric again once L > m.
    """
    rest = 1.0 / (1.0 - gamma)
    tail = gamma**longest * (longest * (longest + 1.0) + 2.0 * longest * rest + 2.0 * rest * rest)
    return tail * spread / 4.0 * (1.0 + 1e-12)


def longest_episode(gamma: float, spread: float, bias: float) -> int:
    """Smallest Lmax whose :func:`truncation_bias` is at most `bias`.

    Raises
    ------
    InputError
        If `bias` is not positive.
    """
    if not bias > 0.0:
        raise InputError(f"the bias allowed must be positive, got {bias}")
    high = 1
    while truncation_bias(gamma, spread, high) > bias:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if truncation_bias(gamma, spread, middle) <= bias else (middle, high)
    return high


def second_moment(gamma: float, spread: float, actions: Sequence[int]) -> float:
    """Bound on E||g||^2 for the gradient of one episode of geometric length, rewards centred.

    Parameters
    ----------
    gamma : float
        Discount in [0, 1).
    spread : float
        R, the largest reward less the smallest.
    actions : sequence of int
        A_1, .., A_N.

    Returns
    -------
    float
        (3/4) R^2 sum_i (1 - 1/A_i)/(1 - gamma)^3 from (sum_k |r_k| |S_k|)^2 <= L sum_k r_k^2 |S_k|^2, where
        the scores S_k are a martingale with E|S_k|^2 <= (k + 1) sum_i (1 - 1/A_i), and E L(L+1)(L+2) = 6/(1 -
        gamma)^3.
    """
    return 0.75 * spread**2 * left_sum(1.0 - 1.0 / count for count in actions) / (1.0 - gamma) ** 3


def largest_sample(spread: float, longest: int) -> float:
    """Return (R/2) Lmax (Lmax + 1)/2, what no sample of an entry of a gradient exceeds."""
    return spread / 2.0 * longest * (longest + 1) / 2.0


class Moments:
    """Sums of samples and of their squares, entry by entry.

    Parameters
    ----------
    entries : int
        D, how many numbers an episode gives.
    largest : float
        Bound on the absolute value of every sample.
    """

    def __init__(self, entries: int, largest: float) -> None:
        self.largest = largest
        self._places = places_of(largest)
        self.count = 0
        """n, the number of episodes."""
        self._sum = np.zeros(entries)
        self._squares = np.zeros(entries)

    def add(self, samples: FloatArray, episodes: int) -> None:
        """Add the samples of some episodes, of which those left out gave 0 everywhere.

        Parameters
        ----------
        samples : (K, D) float
            K <= `episodes`.
        episodes : int
        """
        self.count += episodes
        if self._places:
            samples = np.ldexp(samples, -self._places)
        self._sum += samples.sum(axis=0)
        self._squares += np.square(samples).sum(axis=0)

    @property
    def mean(self) -> FloatArray:
        """(D,) means."""
        return self._back(self._sum / self.count)

    def width(self, delta: float) -> FloatArray:
        """Return the empirical Bernstein width of every entry.

        Parameters
        ----------
        delta : float
            Probability, for a single entry and one direction, with which its expectation may be further from
            its mean.

        Returns
        -------
        (D,) float
            sqrt(2 Var ln(2/delta)/n) + 7 (2 largest) ln(2/delta)/(3 (n - 1)), and an allowance for rounding;
            infinite for less than two samples.
        """
        n = self.count
        if n < 2:
            return np.full(self._sum.shape, np.inf)
        logarithm = math.log(2.0 / delta)
        largest = moved(self.largest, -self._places)
        variance = np.maximum(self._squares - self._sum**2 / n, 0.0) / (n - 1) + ROUNDING * largest**2
        slack = 14.0 * largest * logarithm / (3.0 * (n - 1)) + ROUNDING * largest
        return self._back(np.sqrt(2.0 * variance * logarithm / n) + slack)

    def _back(self, scaled: FloatArray) -> FloatArray:
        if not self._places:
            return scaled
        found: FloatArray = np.ldexp(scaled, self._places)
        return found


@dataclass(frozen=True)
class Look:
    """What was known at one look at the bounds."""

    episodes: int
    certified: bool
    epsilon: float
    """lambda C: the Nash gap that is promised if `certified`; may be infinite."""
    worst: float
    """Largest ratio of an entry's upper bound to its threshold: certified where it is at most 1."""
    constant: float
    """C."""


def look(
    gradients: Moments,
    visits: Moments,
    *,
    barrier: FloatArray,
    thresholds: FloatArray,
    regularization: float,
    gamma: float,
    spread: float,
    longest: int,
    initial: FloatArray | None,
    delta: float,
    looks: int,
) -> Look:
    """Judge the episodes so far.

    Parameters
    ----------
    gradients : Moments
        Of the D entries of all agents' gradients of the value.
    visits : Moments
        Of the S counts of visits.
    barrier : (D,) float
        The barrier's part of the gradient, which is known.
    thresholds : (D,) float
        lambda/(S A_P A_i).
    regularization : float
        lambda > 0.
    gamma, spread, longest
        As in :func:`truncation_bias`.
    initial : (S,) float or None
        mu where it is known.
    delta : float
        Probability, in (0, 1), with which anything promised at any of the looks may be false.
    looks : int
        How often the bounds are looked at, at most.

    Returns
    -------
    Look
    """
    states = visits.mean.size
    each = delta / (looks * (thresholds.size + states))
    bias = truncation_bias(gamma, spread, longest)
    upper = gradients.mean + gradients.width(each) + bias + barrier
    # A lane left out counts no visits, so the mean is low, if it is anything.
    met = np.maximum(visits.mean - visits.width(each), 0.0)
    if initial is not None:
        met = np.maximum(met, initial)
    with np.errstate(divide="ignore"):
        constant = float((1.0 / (states * (1.0 - gamma) * met)).max())
    with np.errstate(over="ignore"):
        worst = float((upper / thresholds).max())
    margin = 1.0 - 1e-12
    certified = worst <= margin and math.isfinite(constant)
    return Look(gradients.count, certified, regularization * constant / margin, worst, constant)


def episode_gradients(
    rows: Sequence[IntArray],
    actions: Sequence[IntArray],
    returns: Sequence[FloatArray],
    table: FloatArray,
) -> FloatArray:
    """Sample the gradient of the value in one agent's logits, an episode a row.

    Parameters
    ----------
    rows : list over t of (n_t,) int
        Which row (s, aP) of its table the agent acted from, flat; n_t non-increasing, episodes are prefixes.
    actions : list over t of (n_t,) int
        What it chose.
    returns : list over t of (n_t,) float
        Centred rewards from t on, undiscounted.
    table : (rows, A) float
        pi^i.

    Returns
    -------
    (n_0, rows * A) float
        X of every episode.
    """
    count = table.shape[1]
    samples = np.zeros((len(rows[0]), *table.shape))
    for row, chosen, value in zip(rows, actions, returns, strict=True):
        episodes = np.arange(len(row))
        scores = -table[row]
        scores[episodes, chosen] += 1.0
        samples[episodes, row] += scores * value[:, None]
    return samples.reshape(len(rows[0]), table.shape[0] * count)
