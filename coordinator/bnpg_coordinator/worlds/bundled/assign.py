"""Assign: each agent sees what every task is worth to itself alone, and a task pays if exactly one takes it.

The reward is the mean over the agents of what their tasks pay. With as many tasks as agents and uniform
worths, a fixed assignment gives 0.5. One agent after the other taking the best task that is left, which takes
the complete DAG, gives the mean of n/(n+1) for n = tasks, .., 1: 163/240 = 0.679 for four. Who sees all
worths could reach 0.736 there.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Box, End
from bnpg_coordinator.worlds.simulated import State
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.games.builtin.parameters import between


class Assign:
    """Tasks pay what they are worth to whoever takes them alone; each sees its own worths only."""

    end = End.TERMINATED

    def __init__(self, agents: int = 4, tasks: int = 4, T: int = 1) -> None:
        between("assign: agents", agents, 1, 1000)
        between("assign: tasks", tasks, 1, 1000)
        between("assign: T", T, 1, 1_000_000)
        self.name = f"assign(agents={agents}, tasks={tasks}, T={T})"
        self.agents, self.tasks, self.length = agents, tasks, T
        self.actions = (tasks,) * agents
        self.spaces = (Box(tasks),) * agents
        self.draws = (agents * tasks, agents * tasks * (T > 1))

    def begin(self, drawn: FloatArray) -> State:
        """Return uniform worths, (n, agents, tasks)."""
        worths = drawn.T.reshape(-1, self.agents, self.tasks).astype(np.float32)
        return (worths,)

    def step(self, state: State, actions: Sequence[IntArray], drawn: FloatArray) -> tuple[State, FloatArray]:
        """Return the next worths; the mean worth of the tasks that one agent has taken alone."""
        worths = state[0]
        lanes = np.arange(len(worths))
        takers = np.zeros((len(lanes), self.tasks), dtype=np.int64)
        for chosen in actions:
            takers[lanes, chosen] += 1
        rewards = np.zeros(len(lanes))
        for agent, chosen in enumerate(actions):
            alone = takers[lanes, chosen] == 1
            rewards += np.where(alone, worths[lanes, agent, chosen].astype(np.float64), 0.0)
        rewards /= self.agents
        return self.begin(drawn) if self.length > 1 else state, rewards

    def see(self, state: State) -> tuple[NDArray[np.float32], ...]:
        """Return everybody's own worths."""
        worths: NDArray[np.float32] = state[0].astype(np.float32, copy=False)
        return tuple(np.ascontiguousarray(worths[:, agent]) for agent in range(self.agents))
