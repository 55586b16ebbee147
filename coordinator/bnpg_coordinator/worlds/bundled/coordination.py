"""The coordination game in episodes of T steps, as its authors play it: the reward looks at the next state.

It is the built-in game `coordination` otherwise. Everybody sees all bits. To choose 0 always is best, and to
choose 1 always is the trap: from uniform bits, T = 25 and epsilon = 0.1 they give 61.25 and 41.25 for two
agents, 55.40 and 42.60 for three, 69.116 and 47.78 for five, 74.044 and 49.64 for ten.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Box, End
from bnpg_coordinator.worlds.simulated import State
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.games.builtin.coordination import balance
from bnpg_math.games.builtin.parameters import between


class Coordination:
    """One bit an agent, set by its action; the team wants the bits lopsided, to zeros best."""

    end = End.TERMINATED

    def __init__(self, agents: int = 3, epsilon: float = 0.1, T: int = 25) -> None:
        between("coordination: agents", agents, 1, 64)
        between("coordination: epsilon", epsilon, 0, 1)
        between("coordination: T", T, 1, 1_000_000)
        self.name = f"coordination(agents={agents}, epsilon={epsilon!r}, T={T})"
        self.agents, self.epsilon, self.length = agents, epsilon, T
        self.actions = (2,) * agents
        self.spaces = (Box(agents, (2,) * agents),) * agents
        self.draws = (agents, agents)
        ones = np.arange(agents + 1)
        zeros = agents - ones
        lopsided, balanced = np.where(zeros > ones, 3.0, 2.0), np.where(zeros < ones, 1.0, 0.0)
        self.reward = np.where(np.abs(zeros - ones) <= balance(agents), balanced, lopsided)
        """By how many bits are 1."""

    def begin(self, drawn: FloatArray) -> State:
        """Return uniform bits."""
        return ((drawn.T < 0.5).astype(np.uint8),)

    def step(self, state: State, actions: Sequence[IntArray], drawn: FloatArray) -> tuple[State, FloatArray]:
        """Return each agent's action as its bit, flipped with probability epsilon."""
        del state
        flipped = drawn < self.epsilon
        bits = np.empty((drawn.shape[1], self.agents), dtype=np.uint8)
        for agent, chosen in enumerate(actions):
            np.not_equal(chosen, flipped[agent], out=bits[:, agent], casting="unsafe")
        return (bits,), self.reward.take(bits.sum(axis=1, dtype=np.intp))

    def see(self, state: State) -> tuple[NDArray[np.float32], ...]:
        """Return all bits, for everybody."""
        return (state[0].astype(np.float32),) * self.agents
