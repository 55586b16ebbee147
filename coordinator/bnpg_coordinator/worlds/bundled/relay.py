"""Relay: agent 0 alone sees which goal it is, and all must choose it. What it knows travels along edges.

Without an edge nobody does better than 1/goals a step; any graph in which agent 0 has a path to everybody
allows 1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Box, End
from bnpg_coordinator.worlds.simulated import State
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.games.builtin.parameters import between


class Relay:
    """Agent 0 sees the goal, all must choose it; a new one every step."""

    end = End.TERMINATED

    def __init__(self, agents: int = 4, goals: int = 4, T: int = 1) -> None:
        between("relay: agents", agents, 1, 1000)
        between("relay: goals", goals, 1, 1000)
        between("relay: T", T, 1, 1_000_000)
        self.name = f"relay(agents={agents}, goals={goals}, T={T})"
        self.agents, self.goals, self.length = agents, goals, T
        self.actions = (goals,) * agents
        self.spaces = (Box(1, (goals,)), *(Box(1, (1,)),) * (agents - 1))
        self.draws = (1, int(T > 1))

    def begin(self, drawn: FloatArray) -> State:
        """Return uniform goals."""
        return ((drawn[0] * self.goals).astype(np.uint16),)

    def step(self, state: State, actions: Sequence[IntArray], drawn: FloatArray) -> tuple[State, FloatArray]:
        """Return the next goals; 1 where all have chosen the present one."""
        met = np.ones(len(state[0]), dtype=bool)
        for chosen in actions:
            met &= chosen == state[0]
        return self.begin(drawn) if self.length > 1 else state, met.astype(np.float64)

    def see(self, state: State) -> tuple[NDArray[np.float32], ...]:
        """Return the goal for agent 0; nothing, always 0, for the others."""
        goals = state[0].astype(np.float32)[:, None]
        return (goals, *(np.zeros_like(goals),) * (self.agents - 1))
