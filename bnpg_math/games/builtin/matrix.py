"""A matrix game as a Markov game with one state."""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.games.game import Game
from bnpg_math.games.transitions.stateless import StatelessTransition


def matrix_game(name: str, payoff: FloatArray, gamma: float) -> Game:
    """Repeat one team payoff forever.

    Parameters
    ----------
    name : str
        For people.
    payoff : (A_1, .., A_N) float
        The team reward of every joint action.
    gamma : float
        Discount in [0, 1); values are multiplied by 1/(1 - gamma) and nothing else changes.

    Returns
    -------
    Game
        With one state.
    """
    return Game(
        name,
        StatelessTransition(np.ones((*payoff.shape, 1))),
        payoff[None].astype(np.float64),
        np.ones(1),
        gamma,
    )
