"""The climbing game (Claus & Boutilier, AAAI 1998)."""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.games.builtin.matrix import matrix_game
from bnpg_math.games.game import Game


def payoff() -> FloatArray:
    """The payoff ``[3, 3]``: optimum 11, reached only past the risk of -30.

    Independent learners climb to (1, 1) with 7 or to (1, 2) with 6, both next to safe ground.
    """
    return np.array([[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]])


def climbing(gamma: float = 0.0) -> Game:
    """Two agents, optimum 11 behind a penalty of -30."""
    return matrix_game("climbing", payoff(), gamma)
