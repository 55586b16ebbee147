"""The coordination game of Chen & Zhang (ICML 2023).

The state is one bit an agent. Each next bit is the agent's action, flipped with probability epsilon. The
reward looks at the state alone: being nearly balanced pays 0 or 1, being lopsided 2 or 3, in each case the
larger number for one of the two sides.
"""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.games.builtin.parameters import between
from bnpg_math.games.game import Game
from bnpg_math.games.transitions.product import Component, ProductTransition


def balance(agents: int) -> int:
    """How far zeros and ones may differ in number and still count as balanced.

    The source gives 1, 1, 2, 3 for 2, 3, 5, 10 agents. A third of the agents, rounded, at least 1,
    agrees with all four and is used for every other number.
    """
    return max(1, round(agents / 3))


def rewards(agents: int) -> FloatArray:
    """Reward of every state ``[2**agents]``, the first agent's bit the most significant."""
    ones = np.indices((2,) * agents).sum(axis=0).reshape(-1)
    zeros = agents - ones
    balanced = np.where(zeros < ones, 1.0, 0.0)
    lopsided = np.where(zeros > ones, 3.0, 2.0)
    return np.where(np.abs(zeros - ones) <= balance(agents), balanced, lopsided)


def coordination(agents: int = 3, epsilon: float = 0.1, gamma: float = 0.95) -> Game:
    """One bit an agent, set by its action; the team wants the bits lopsided, to zeros best."""
    between("coordination: agents", agents, 1, 12)
    between("coordination: epsilon", epsilon, 0, 1)
    states, actions = 2**agents, (2,) * agents
    noisy = np.array([[1.0 - epsilon, epsilon], [epsilon, 1.0 - epsilon]])
    bits = [Component(noisy, agents=(agent,)) for agent in range(agents)]
    reward = np.broadcast_to(rewards(agents).reshape(-1, *(1,) * agents), (states, *actions))
    return Game(
        "coordination",
        ProductTransition(actions, actions, bits),
        reward,
        np.full(states, 1.0 / states),
        gamma,
    )
