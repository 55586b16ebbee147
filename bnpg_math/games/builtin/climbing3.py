"""A climbing game for three agents: this project's extension of Claus & Boutilier's.

The team earns the least of the climbing payoffs of its pairs i < j. The optimum stays 11 at (0, 0, 0), and
a miscoordination of any one pair is enough to lose it, which makes the equilibria off the optimum worse.
"""

import numpy as np

from bnpg_math.games.builtin.climbing import payoff
from bnpg_math.games.builtin.matrix import matrix_game
from bnpg_math.games.game import Game


def climbing3(gamma: float = 0.0) -> Game:
    """Three agents, least climbing payoff of a pair; optimum 11."""
    pair = payoff()
    least = np.minimum(np.minimum(pair[:, :, None], pair[:, None, :]), pair[None, :, :])
    return matrix_game("climbing3", least, gamma)
