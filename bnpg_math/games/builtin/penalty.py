"""The penalty game (Claus & Boutilier, AAAI 1998; Lauer & Riedmiller, ICML 2000)."""

import numpy as np

from bnpg_math.games.builtin.matrix import matrix_game
from bnpg_math.games.game import Game


def penalty(k: float = -100.0, gamma: float = 0.0) -> Game:
    """Two agents, two optima of 10 that must not be mixed up (penalty k), a safe 2."""
    payoff = np.array([[10.0, 0.0, k], [0.0, 2.0, 0.0], [k, 0.0, 10.0]])
    return matrix_game("penalty", payoff, gamma)
