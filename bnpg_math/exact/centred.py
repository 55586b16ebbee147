"""The game that matters: states out of reach pay nothing, and the rewards of the others are centred.

Policies are compared by differences of values. A constant in all rewards adds the same to every value, and a
state that no policy visits adds nothing; both only cost digits.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnpg_math.games.game import Game


def reachable(game: Game) -> NDArray[np.bool_]:
    """Which states a policy that plays every action visits.

    Parameters
    ----------
    game : Game

    Returns
    -------
    (S,) bool
    """
    found = game.initial > 0.0
    if game.gamma == 0.0:
        return found
    uniform = np.full((game.states, *game.actions), 1.0)
    _, backward = game.transition.along(uniform)
    edge = found
    while edge.any():
        # Sums of non-negative terms: a state is reached exactly if the sum is not 0.
        edge = (backward(edge.astype(np.float64)) > 0.0) & ~found
        found = found | edge
    return found


def returns_spread(game: Game) -> float:
    """Return how far two returns can be apart at the most, by the rewards in reach."""
    return float(np.ptp(game.reward[reachable(game)])) / (1.0 - game.gamma)


def usual_reward(game: Game) -> float:
    """Return a reward in reach that as many exceed as fall short of: beside it few are large."""
    return float(np.percentile(game.reward[reachable(game)], 50.0, method="lower"))


def centred(game: Game) -> Game:
    """The game with the middle of the rewards in reach taken off.

    Parameters
    ----------
    game : Game

    Returns
    -------
    Game
        The same policies are better by the same amounts, up to rounding of the rewards.
    """
    kept = reachable(game)
    rows = game.reward[kept]
    middle = float(rows.min()) / 2.0 + float(rows.max()) / 2.0
    reward = np.where(kept.reshape(-1, *(1,) * game.agents), game.reward - middle, 0.0)
    return replace(game, name=f"{game.name}, centred", reward=reward)
