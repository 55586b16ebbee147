"""Random games in the manner of GARNET (Archibald, McKinnon & Thomas, 1995).

Every state and joint action has `branching` distinct successors, with probabilities cut from the unit
interval at uniform points, and a reward uniform in [0, 1). All numbers come from counter-based streams, so a
seed names the same game everywhere.
"""

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.chance.streams import Purpose, generator
from bnpg_math.games.builtin.parameters import between, fits
from bnpg_math.games.game import MOST_AGENTS, Game, dense_game
from bnpg_math.games.transitions.sparse import SparseTransition

# Up to this many entries (32 MB) the whole tensor is faster than its sparse form.
_DENSE_UP_TO = 1 << 22
# Up to this many, successors are picked by a uniform for every state; beyond, drawn until they are distinct,
# which ends soon if they are few.
_PICKED_UP_TO = 1 << 27


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
    between("random: agents", agents, 1, MOST_AGENTS)
    between("random: branching", branching, 1, states)
    rows = states * actions**agents
    drawn = rows * states > _PICKED_UP_TO and branching**2 <= states
    fits("random", rows * (branching if drawn else states))
    counts = (actions,) * agents
    drawing = generator(seed, Purpose.GAME, 0)
    successors = (_drawn if drawn else _picked)(drawing, rows, states, branching)
    cuts = np.sort(generator(seed, Purpose.GAME, 1).random((rows, branching - 1)), axis=1)
    probabilities = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    reward = generator(seed, Purpose.GAME, 2).random((states, *counts))
    initial = np.full(states, 1.0 / states)
    if rows * states <= _DENSE_UP_TO:
        table: FloatArray = np.zeros((rows, states))
        table[np.arange(rows)[:, None], successors] = probabilities  # successors of a row are distinct
        return dense_game("random", table.reshape(states, *counts, states), reward, initial, gamma)
    from scipy.sparse import csr_array  # a fifth of a second that small games do without

    matrix = csr_array(
        (
            probabilities.reshape(-1),
            successors.reshape(-1),
            np.arange(0, rows * branching + 1, branching),
        ),
        shape=(rows, states),
    )
    return Game("random", SparseTransition(matrix, counts), reward, initial, gamma)


def _picked(drawing: np.random.Generator, rows: int, states: int, branching: int) -> IntArray:
    """Return distinct successors of every state and joint action, `[rows, branching]`."""
    # The smallest `branching` of S uniforms are a uniform choice of distinct successors.
    order: IntArray = drawing.random((rows, states)).argsort(axis=1, kind="stable")
    return order[:, :branching]


def _drawn(drawing: np.random.Generator, rows: int, states: int, branching: int) -> IntArray:
    """Return the same for a few successors of many states, without a number for every state."""
    successors: IntArray = drawing.integers(states, size=(rows, branching))
    while True:
        ordered = np.sort(successors, axis=1)
        twice = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
        if not twice.size:
            return successors
        successors[twice] = drawing.integers(states, size=(twice.size, branching))
