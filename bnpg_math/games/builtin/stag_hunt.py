"""The stag hunt with a shared purse (after Skyrms, 2004).

Each hunter gets 4 from the stag if everybody hunts it and 3 from a hare for certain; the team earns the sum.
All hares is a Nash equilibrium of independent policies: whoever changes alone goes hungry.
"""

import numpy as np

from bnpg_math.games.builtin.matrix import matrix_game
from bnpg_math.games.builtin.parameters import between
from bnpg_math.games.game import Game

STAG, HARE = 4.0, 3.0
"""What one hunter earns."""


def stag_hunt(agents: int = 2, gamma: float = 0.0) -> Game:
    """All hunt the stag (action 0, 4 each) or take hares (action 1, 3 each, certain)."""
    between("stag_hunt: agents", agents, 2, 20)
    hares = np.indices((2,) * agents).sum(axis=0)
    payoff = np.where(hares == 0, STAG * agents, HARE * hares)
    return matrix_game("stag_hunt", payoff, gamma)
