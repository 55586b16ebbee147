"""Slotted Aloha: stations share one channel (Abramson, 1970).

The state is one bit a station, whether it holds a packet. In a slot each station waits (action 0) or
transmits (action 1). A packet gets through, for a reward of 1, if exactly one station holding one transmits;
collisions deliver nothing. A station without a packet, also one that has just delivered, receives a new one
with probability `arrival` at the end of the slot. The start is with every station backlogged.
"""

import numpy as np

from bnpg_math.games.builtin.parameters import between
from bnpg_math.games.game import Game, dense_game


def slotted_aloha(agents: int = 3, arrival: float = 0.4, gamma: float = 0.9) -> Game:
    """Stations share a channel; 1 for each packet that gets through alone."""
    between("slotted_aloha: agents", agents, 1, 6)
    between("slotted_aloha: arrival", arrival, 0, 1)
    bits = np.indices((2,) * agents).reshape(agents, -1).T
    backlog, joint = bits[:, None, :], bits[None, :, :]
    sends = backlog * joint
    success = sends.sum(axis=-1) == 1
    left = backlog - sends * success[:, :, None]
    full = np.where(left == 1, 1.0, arrival)[:, :, None, :]
    following = np.where(bits[None, None, :, :] == 1, full, 1.0 - full).prod(axis=-1)
    initial = np.zeros(2**agents)
    initial[-1] = 1.0
    shape = (2**agents, *(2,) * agents)
    return dense_game(
        "slotted_aloha",
        following.reshape(*shape, 2**agents),
        success.astype(np.float64).reshape(shape),
        initial,
        gamma,
    )
