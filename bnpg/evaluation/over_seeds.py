"""What runs that differ in their seeds came to: interquartile means with bootstrap intervals, and scores.

After Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice" (NeurIPS 2021):
the interquartile mean (the mean of the middle half of the runs) is moved less by a lucky or unlucky seed than
the mean, and wastes less than the median; its interval is a percentile bootstrap that draws runs anew within
each game (stratified), never across games. Of few runs that interval would hold the truth much less often
than it says, of two half of the time: it is widened by Student's t. The terminal, the tables and the pages
all use these.
"""

import math
from collections.abc import Sequence

import numpy as np

from bnpg.one_thread import one_thread
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.by_two import moved, places_of, standard_error
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import empty
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game
from bnpg_math.policies.softmax import policy, theta_shape

CONFIDENCE = 0.95
RESAMPLES = 5000
FEW = 8
"""Runs in a sample below which a bootstrap by itself holds the truth too rarely."""
SETTLING = 6
"""Fewest pairs that settle a sign: without any effect all of them have one sign with chance 2^(1-6) < 5 %."""
SAME = 1e-12
"""Values that differ by less, relatively, may be one value with rounding: near gamma = 1 it is as large."""
ALL_ALIKE = "all runs came to the same, to 12 digits: of how far others would scatter they say nothing"
"""Why several runs may have no interval."""
NO_GAIN = "acting at random earns as much as the best joint policy, to 12 digits: there is no score"
"""Why a game may have no score."""


def interquartile_mean(values: FloatArray, axis: int = -1) -> FloatArray:
    """Return the mean without the lowest and the highest quarter.

    Parameters
    ----------
    values : (..., K) float
    axis : int
        Of the K runs.
    """
    # Not by a partition, as libraries do: its order, and the rounding of the sum, differ between machines.
    ordered = np.sort(values, axis=axis)
    runs = ordered.shape[axis]
    middle: FloatArray = np.asarray(ordered.take(range(runs // 4, runs - runs // 4), axis).mean(axis))
    return middle


def interval(strata: Sequence[FloatArray]) -> tuple[float, float] | None:
    """Return the interval of the interquartile mean of several samples put together, at about 95 %.

    The ends are percentiles of a bootstrap. Where a sample has fewer than `FEW` values they reach at least t
    standard errors to either side, those of the bootstrap times sqrt(K / (K - 1)), as drawing anew from K
    values understates their variance by so much; t is Student's, with the degrees of freedom of Welch and
    Satterthwaite (Biometrics Bulletin 2, 1946). Of 2 or 3 values of one sample that is Student's interval.

    Parameters
    ----------
    strata : sequence of (K_j,) float
        At least two values each; values are drawn anew within each sample.

    Returns
    -------
    tuple of float, or None
        None if within every sample all values are alike: an interval of width 0 would claim to be certain.
    """
    if all(alike(sample) for sample in strata):
        return None
    places = places_of(max(float(np.abs(sample).max()) for sample in strata))
    if places:
        ends = interval([np.ldexp(sample, -places) for sample in strata])
        return None if ends is None else (moved(ends[0], places), moved(ends[1], places))
    from scipy import stats  # half of what it costs to start a page or a command, of which few need it

    def statistic(*samples: FloatArray, axis: int = -1) -> FloatArray:
        return interquartile_mean(np.concatenate(samples, axis=axis), axis)

    fewest = min(len(sample) for sample in strata)
    # The same runs have the same interval: the generator is part of the method. Of few, their order may not
    # decide which are drawn.
    samples = strata if fewest >= FEW else [np.sort(sample) for sample in strata]
    found = stats.bootstrap(
        tuple(samples), statistic, n_resamples=RESAMPLES, batch=500, confidence_level=CONFIDENCE,
        method="percentile", vectorized=True, rng=np.random.default_rng(0),
    )  # fmt: skip
    low, high = float(found.confidence_interval.low), float(found.confidence_interval.high)
    if fewest >= FEW:
        return low, high
    middle = float(interquartile_mean(np.concatenate(strata)))
    quantile = float(stats.t.ppf((1.0 + CONFIDENCE) / 2.0, _degrees_of_freedom(strata)))
    half = quantile * float(found.standard_error) * math.sqrt(fewest / (fewest - 1))
    return min(low, middle - half), max(high, middle + half)


def _degrees_of_freedom(strata: Sequence[FloatArray]) -> float:
    """Return those of the variance of a mean over samples, estimated in each of them; at least 1."""
    unit = max(float(np.ptp(sample)) for sample in strata)
    shares = np.array([len(sample) * np.var(sample / unit, ddof=1) for sample in strata])
    left = np.array([len(sample) - 1 for sample in strata])
    return float(shares.sum() ** 2 / (shares**2 / left).sum())


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return a mean over seeds and the ends of its interval at 95 %, by Student's t.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    tuple of float
        The ends are nan where one seed says nothing of others, or all are alike: no width would claim
        certainty.
    """
    mean = float(np.mean(values))
    if len(values) < 2 or alike(np.array(values)):
        return mean, float("nan"), float("nan")
    from scipy import stats

    quantile = stats.t.ppf((1.0 + CONFIDENCE) / 2.0, len(values) - 1)
    half = float(quantile * standard_error(np.array(values)))
    return mean, mean - half, mean + half


def interval_in_words(middle: float, low: float, high: float) -> str:
    """Return a number with its interval, without it where there is none (nan)."""
    return f"{middle:.4g}" + ("" if np.isnan(low) else f" [{low:.4g}, {high:.4g}]")


def alike(values: FloatArray) -> bool:
    """Whether all values are one, to 12 digits."""
    return bool(np.ptp(values) <= SAME * float(np.abs(values).max()))


@one_thread()
def uniform_value(game: Game) -> float:
    """Return what a team earns that plays every action alike, whatever its DAG."""
    tables = [policy(np.zeros(theta_shape(game.states, game.actions, (), i))) for i in range(game.agents)]
    return evaluate(game, joint_policy(tables, empty(game.agents))).value


def score(value: float | None, uniform: float | None, best: float | None) -> float | None:
    """Return how much of the way from acting at random to the best joint policy is done.

    Returns
    -------
    float or None
        1 at V*, 0 at random, below 0 if worse than that; None if unknown, or if nothing can be gained.
    """
    if value is None or uniform is None or best is None:
        return None
    gained = best - uniform
    return None if gained <= SAME * max(abs(best), abs(uniform)) else (value - uniform) / gained


def profile(scores: FloatArray, levels: FloatArray) -> FloatArray:
    """Return which share of the runs has at least each score: their score profile.

    Parameters
    ----------
    scores : (K,) float
    levels : (L,) float

    Returns
    -------
    (L,) float
    """
    shares: FloatArray = (scores[None, :] >= levels[:, None]).mean(axis=1)
    return shares
