"""The congestion game with safe and distancing states (Leonardos et al., 2021, section 5).

Agents choose among facilities of weight 1, 2, .., F. An agent at a facility with n agents earns n times its
weight: crowding pays. If more than half of the agents crowd into one facility, the game falls into the
distancing state, where every agent earns `penalty` less; it returns to the safe state only when the agents
spread out evenly, at most ceil(N/F) to a facility. The team earns the sum over agents. Transitions are
deterministic.
"""

import math

import numpy as np

from bnpg_math.games.builtin.parameters import between, fits
from bnpg_math.games.game import Game, dense_game

SAFE, DISTANCING = 0, 1
"""The two states."""


def congestion(agents: int = 4, facilities: int = 4, penalty: float = 100.0, gamma: float = 0.95) -> Game:
    """Crowding pays at once, but too much of it costs everybody until all spread out."""
    between("congestion: agents", agents, 2)
    between("congestion: facilities", facilities, 2)
    between("congestion: penalty", penalty, 0)
    fits("congestion", 4 * max(agents, facilities) * facilities**agents)
    shape = (facilities,) * agents
    choices = np.indices(shape)
    load = np.stack([(choices == facility).sum(axis=0) for facility in range(facilities)])
    weights = np.arange(1, facilities + 1).reshape(-1, *(1,) * agents)
    earned = (weights * load**2).sum(axis=0).astype(np.float64)
    crowded = load.max(axis=0) > agents / 2
    spread = load.max(axis=0) <= math.ceil(agents / facilities)
    transition = np.zeros((2, *shape, 2))
    transition[SAFE, ..., DISTANCING] = crowded
    transition[SAFE, ..., SAFE] = ~crowded
    transition[DISTANCING, ..., SAFE] = spread
    transition[DISTANCING, ..., DISTANCING] = ~spread
    reward = np.stack([earned, earned - penalty * agents])
    return dense_game("congestion", transition, reward, np.full(2, 0.5), gamma)
