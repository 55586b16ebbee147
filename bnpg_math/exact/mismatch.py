"""The mismatch coefficient M = max over pi, pi', s of d^pi(s) / d^pi'(s) (Lemma 2), exactly.

Numerator and denominator separate: max_pi d^pi(s) is the optimal value of the game whose reward is 1 in
state s and 0 elsewhere, and min_pi d^pi(s) the worst one. So M takes 2S solved games. The extremes are
attained by deterministic joint policies, which every DAG can represent: M is a property of the game alone.

Where some policy never visits a state, Assumption 1 fails and M is infinite. That is decided exactly, on
which transitions are possible at all, not by comparing a small number with zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.exact.optimum import policy_iteration
from bnpg_math.games.game import Game


@dataclass(frozen=True, eq=False)
class Mismatch:
    """M and where it comes from.

    Parameters
    ----------
    M : float
        At least 1; infinite if Assumption 1 fails.
    highest, lowest : (S,) float
        Largest and smallest visitation of each state over all joint policies, unnormalised.
    state : int
        Where the ratio is largest; if M is infinite, the first state that some policy never visits.
    reason : str or None
        Why M is infinite, for people; None if it is finite.
    """

    M: float
    highest: FloatArray
    lowest: FloatArray
    state: int
    reason: str | None


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
    highest, lowest = np.zeros(game.states), np.zeros(game.states)
    for state in range(game.states):
        highest[state] = extreme_visitation(game, state, 1.0)
        lowest[state] = 0.0 if is_avoidable(game, state) else extreme_visitation(game, state, -1.0)
        if progress is not None:
            progress(state + 1, game.states)
    avoided = np.flatnonzero(lowest <= 0.0)
    if avoided.size:
        state = int(avoided[0])
        reason = f"Assumption 1 fails: some joint policy never visits state {state}"
        return Mismatch(math.inf, highest, lowest, state, reason)
    ratio = highest / lowest
    state = int(ratio.argmax())
    return Mismatch(float(ratio[state]), highest, lowest, state, None)


def extreme_visitation(game: Game, state: int, sign: float) -> float:
    """Largest (sign +1) or smallest (sign -1) visitation of one state over all joint policies.

    Parameters
    ----------
    game : Game
        The game.
    state : int
        Whose visitation.
    sign : float
        1.0 or -1.0.

    Returns
    -------
    float
        Unnormalised, in [0, 1/(1 - gamma)].
    """
    indicator = np.zeros(game.states)
    indicator[state] = sign
    reward = np.broadcast_to(indicator.reshape(-1, *(1,) * game.agents), (game.states, *game.actions))
    # Going straight for (or away from) the state is nearly optimal: policy iteration needs a step or two.
    start = game.transition.expectation(indicator).reshape(game.states, -1).argmax(axis=1)
    V, _ = policy_iteration(game.transition, reward, game.gamma, start)
    return float(sign * (game.initial @ V))


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
