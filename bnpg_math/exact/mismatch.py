"""The mismatch coefficient M = max over pi, pi', s of d^pi(s) / d^pi'(s) (Lemma 2), never below its true
value.

Numerator and denominator separate: max_pi d^pi(s) is the optimal value of the game whose reward is 1 in
state s and 0 elsewhere, and min_pi d^pi(s) the worst one. So M takes 2S solved games. The extremes are
attained by deterministic joint policies, which every DAG can represent: M is a property of the game alone.

Where some policy never visits a state, Assumption 1 fails and M is infinite. That is decided exactly, on
which transitions are possible at all, not by comparing a small number with zero.

Certificates multiply with M: it is rounded upwards, by no more than its error. See `visitation`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.rounding import SLACK, UNIT, Enclosed
from bnpg_math.exact.visitation import Visitations
from bnpg_math.games.game import Game


@dataclass(frozen=True, eq=False)
class Mismatch:
    """M and where it comes from.

    Parameters
    ----------
    M : float
        At least 1, and at least the true coefficient; infinite if Assumption 1 fails, or where it exceeds all
        numbers.
    nearest : float
        The same ratio without rounding it up. Lambda is chosen with it: a lemma counts as met only well
        within its threshold, which is worth more than what M is rounded up by.
    highest, lowest : (S,) float
        Largest and smallest visitation of each state over all joint policies, unnormalised.
    state : int
        Where the ratio is largest; if M is infinite, the first state that some policy never visits.
    reason : str or None
        Why M is infinite, for people; None if it is finite.
    ratios : (S,) float
        At least the ratio of each state; infinite where a policy never visits it.
    """

    M: float
    nearest: float
    highest: FloatArray
    lowest: FloatArray
    state: int
    reason: str | None
    ratios: FloatArray

    @property
    def mean(self) -> float:
        """Mbar, the mean of the ratios over the states, which is at most M; not below its true value."""
        mean = float(self.ratios.mean()) * (1.0 + 2.0 * len(self.ratios) * UNIT)
        return min(max(mean, 1.0), self.M)

    def of_optimal(self, d: FloatArray) -> float:
        """C*, the mean of d*(s) / min d(s) over the states, for a policy's visitation; 0/0 counts 0.

        Parameters
        ----------
        d : (S,) float
            Of an optimal policy.

        Returns
        -------
        float
            At most `mean`, if that is finite.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            # Highest and lowest are known to seven digits or more.
            share = np.minimum(d / self.highest * (1.0 + 4e-7), 1.0) * self.ratios
        share[d == 0.0] = 0.0
        return min(float(share.mean()) * (1.0 + 2.0 * len(d) * UNIT), self.mean)


def mismatch(game: Game, progress: Callable[[int, int], None] | None = None) -> Mismatch:
    """Compute M by policy iteration, twice a state.

    Parameters
    ----------
    game : Game
        The game; its reward is not looked at.
    progress : callable, optional
        Called with (states done, S) after each state.

    Returns
    -------
    Mismatch
    """
    solver = Visitations(game)
    highest, lowest, ratio = np.zeros(game.states), np.zeros(game.states), np.zeros(game.states)
    avoided: int | None = None
    for state in range(game.states):
        most = solver.extreme(state, 1.0)
        least = Enclosed(0.0, 0.0) if is_avoidable(game, state) else solver.extreme(state, -1.0)
        # Rounding may put them in the wrong order where no policy makes a difference.
        highest[state], lowest[state] = max(most.number, least.number), least.number
        assert least.number - least.error <= most.number + most.error
        if least.number == 0.0 and least.error == 0.0 and avoided is None:
            avoided = state
        ratio[state] = _ratio(game, most, least)
        if progress is not None:
            progress(state + 1, game.states)
    if avoided is not None:
        reason = f"Assumption 1 fails: some joint policy never visits state {avoided}"
        ratio[lowest == 0.0] = math.inf
        return Mismatch(math.inf, math.inf, highest, lowest, avoided, reason, ratio)
    state = int(ratio.argmax())
    M = float(ratio[state])
    nearest = float(np.max(highest / lowest)) if math.isfinite(M) and M > 1.0 else M
    if nearest * (1.0 + 0.5 * SLACK / game.joint_actions) < M:
        nearest = M
    # Visited so rarely that the ratio is no number, or that doubles cannot tell from never.
    rarely = f"state {state} is visited too rarely by some joint policy"
    return Mismatch(M, nearest, highest, lowest, state, None if math.isfinite(M) else rarely, ratio)


def _ratio(game: Game, most: Enclosed, least: Enclosed) -> float:
    """An upper bound of the ratio, at least 1."""
    if game.states == 1 or game.gamma == 0.0:
        # Every policy visits alike: mu(s), or the only state all the time.
        return 1.0
    above = (most.number + most.error) * (1.0 + 2.0 * UNIT)
    below = (least.number - least.error) * (1.0 - 2.0 * UNIT)
    if not below > 0.0 or not math.isfinite(above):
        return math.inf
    with np.errstate(over="ignore"):
        return max(1.0, float(np.float64(above) / np.float64(below)) * (1.0 + 4.0 * UNIT))


def is_avoidable(game: Game, state: int) -> bool:
    """Whether some joint policy never visits a state.

    The states from which it can be avoided forever are the largest set that excludes it and that some joint
    action at each member is certain not to leave. Probabilities are sums of non-negative terms, so "certain"
    is an exact zero.

    Parameters
    ----------
    game : Game
        The game.
    state : int
        The state.

    Returns
    -------
    bool
    """
    if game.initial[state] > 0.0:
        return False
    started = game.initial > 0.0
    if game.gamma == 0.0:
        return True
    safe = np.ones(game.states, dtype=bool)
    safe[state] = False
    while safe[started].all():
        leaving = game.transition.expectation((~safe).astype(np.float64)).reshape(game.states, -1).min(axis=1)
        kept = safe & (leaving == 0.0)
        if (kept == safe).all():
            return True
        safe = kept
    return False
