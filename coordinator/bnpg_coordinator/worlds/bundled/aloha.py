"""Aloha on islands: stations send over one channel, and neighbours who send at once spoil it.

Stations lie in two rows of agents/2, and the last of the first row is a neighbour of the first of the second
row too. Each starts with a packet, holds at most `cap`, sees how many it holds, and gets another with
probability `arrival` after each step. To send a packet pays `success`; who sends while a neighbour does,
with a packet or without, pays `collision` instead. The reward is the sum over the stations.

Ten stations, T = 20: one half that sends always, the best without edges, gives 0.5 + 0.3 (T - 1) = 6.20; one
after the other sending if it has a packet and no earlier neighbour sends, which takes edges, 9.23; two halves
that take turns by the clock, which nobody sees, 9.55.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Box, End
from bnpg_coordinator.worlds.simulated import State
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.errors import GameError
from bnpg_math.games.builtin.parameters import between


class Aloha:
    """Stations share a channel with their neighbours; each sees its own backlog."""

    end = End.TERMINATED

    def __init__(
        self,
        agents: int = 10,
        arrival: float = 0.6,
        cap: int = 5,
        success: float = 0.1,
        collision: float = -10.0,
        T: int = 20,
    ) -> None:
        between("aloha: agents", agents, 2, 1000)
        between("aloha: arrival", arrival, 0, 1)
        between("aloha: cap", cap, 1, 60_000)
        between("aloha: success", success, -1e6, 1e6)
        between("aloha: collision", collision, -1e6, 1e6)
        between("aloha: T", T, 1, 1_000_000)
        if agents % 2:
            raise GameError(f"aloha: agents must be even, two rows of the same length, got {agents}")
        self.name = (
            f"aloha(agents={agents}, arrival={arrival!r}, cap={cap}, success={success!r}, "
            f"collision={collision!r}, T={T})"
        )
        self.agents, self.arrival, self.cap, self.length = agents, arrival, cap, T
        self.success, self.collision = success, collision
        self.actions = (2,) * agents
        self.spaces = (Box(1, (cap + 1,)),) * agents
        self.draws = (0, agents)
        self.links = links(agents)
        """Who is whose neighbour."""

    def begin(self, drawn: FloatArray) -> State:
        """Return one packet everywhere."""
        return (np.ones((self.agents, drawn.shape[1]), dtype=np.uint16).T,)

    def step(self, state: State, actions: Sequence[IntArray], drawn: FloatArray) -> tuple[State, FloatArray]:
        """Return what is left and what has arrived; the sum of what every station is paid."""
        sends = np.stack([chosen == 1 for chosen in actions])
        spoilt = np.zeros_like(sends)
        for first, other in self.links:
            both = sends[first] & sends[other]
            spoilt[first] |= both
            spoilt[other] |= both
        held = state[0].T
        sent = sends & ~spoilt & (held > 0)
        rewards = self.success * sent.sum(axis=0) + self.collision * spoilt.sum(axis=0)
        after = np.minimum(held - sent + (drawn < self.arrival), self.cap).astype(np.uint16)
        return (after.T,), rewards

    def see(self, state: State) -> tuple[NDArray[np.float32], ...]:
        """Return everybody's own backlog."""
        return tuple(held.astype(np.float32)[:, None] for held in state[0].T)


def links(agents: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of neighbours: two rows, and a link from the end of one to the start of the other."""
    row = agents // 2
    along = [(agent, agent + 1) for agent in range(agents - 1)]  # with the link between the rows
    across = [(agent, agent + row) for agent in range(row) if row > 1]
    return tuple(sorted({*along, *across}))
