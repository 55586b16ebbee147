"""Random games in the manner of GARNET (Archibald, McKinnon & Thomas, 1995).

Every state and joint action has `branching` distinct successors, with probabilities cut from the unit
interval at uniform points, and a reward uniform in [0, 1). All numbers come from counter-based streams, so a
seed names the same game everywhere.
"""

import math

import numpy as np
from scipy.sparse import csr_array

from bnpg_math.arrays import FloatArray
from bnpg_math.game import Game, dense_game
from bnpg_math.games.parameters import between, fits
from bnpg_math.streams import Purpose, generator
from bnpg_math.transitions.sparse import SparseTransition

# Up to this many entries (32 MB) the whole tensor is faster than its sparse form.
_DENSE_UP_TO = 1 << 22


def random_game(
    states: int = 5,
    agents: int = 2,
    actions: int = 3,
    branching: int = 3,
    gamma: float = 0.9,
    seed: int = 0,
) -> Game:
    """GARNET: random rewards in [0, 1), few random successors of each state and joint action."""
    for name, value in (
        ("states", states),
        ("agents", agents),
        ("actions", actions),
        ("branching", branching),
    ):
        between(f"random: {name}", value, 1)
    between("random: branching", branching, 1, states)
    fits("random", states * states * actions**agents)
    counts = (actions,) * agents
    rows = states * math.prod(counts)
    # The smallest `branching` of S uniforms are a uniform choice of distinct successors.
    picks = generator(seed, Purpose.GAME, 0).random((rows, states)).argsort(axis=1, kind="stable")
    cuts = np.sort(generator(seed, Purpose.GAME, 1).random((rows, branching - 1)), axis=1)
    probabilities = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    reward = generator(seed, Purpose.GAME, 2).random((states, *counts))
    initial = np.full(states, 1.0 / states)
    matrix = csr_array(
        (
            probabilities.reshape(-1),
            picks[:, :branching].reshape(-1),
            np.arange(0, rows * branching + 1, branching),
        ),
        shape=(rows, states),
    )
    if rows * states <= _DENSE_UP_TO:
        table: FloatArray = np.asarray(matrix.toarray(), dtype=np.float64)
        return dense_game("random", table.reshape(states, *counts, states), reward, initial, gamma)
    return Game("random", SparseTransition(matrix, counts), reward, initial, gamma)
