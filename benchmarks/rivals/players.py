"""The agents and the environment that all rivals share: the coordination game, in the plainest numpy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

EPSILON = 0.1


class Agent:
    """One agent with its table of probabilities of action 0."""

    def __init__(self, agent: int, agents: int, parents: int) -> None:
        self._zero = np.full(2 ** (agents + parents), 0.5)
        self._rng = np.random.default_rng(agent)

    def act(self, states: NDArray[np.intp], parents: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Its action in every lane, given the states and its parents' actions."""
        rows = states
        for actions in parents:
            rows = rows * 2 + actions
        return (self._rng.random(len(states)) >= self._zero[rows]).astype(np.uint8)


class Environment:
    """All lanes: one bit an agent, set by its action and sometimes flipped."""

    def __init__(self, agents: int, lanes: int) -> None:
        self._rng = np.random.default_rng(agents)
        self.states: NDArray[np.intp] = self._rng.integers(2**agents, size=lanes)

    def step(self, actions: Sequence[NDArray[np.uint8]]) -> None:
        """Move every lane."""
        states = np.zeros(len(self.states), dtype=np.intp)
        for taken in actions:
            states = states * 2 + (taken ^ (self._rng.random(len(states)) < EPSILON))
        self.states = states
