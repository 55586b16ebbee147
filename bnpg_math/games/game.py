"""A cooperative Markov game <N, S, A, P, r, mu> with discount gamma (section 2)."""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.errors import GameError
from bnpg_math.games.probabilities import check_distributions, check_finite, frozen
from bnpg_math.games.transitions.dense import DenseTransition
from bnpg_math.games.transitions.interface import Transition

MOST_AGENTS = 62
"""An array has 64 axes at the most, and P has one for each agent and two for states."""


@dataclass(frozen=True, eq=False)
class Game:
    """States, joint actions, a shared reward, and how the state moves. Immutable.

    Parameters
    ----------
    name : str
        For people; no part of the digest.
    transition : Transition
        P(s'|s, a).
    reward : (S, A_1, .., A_N) float
        The team reward r(s, a), finite.
    initial : (S,) float
        mu, sums to 1.
    gamma : float
        Discount, in [0, 1).

    Raises
    ------
    GameError
        If the arrays do not fit each other or break one of these ranges.
    """

    name: str
    transition: Transition
    reward: FloatArray
    initial: FloatArray
    gamma: float

    def __post_init__(self) -> None:
        expected = (self.transition.states, *self.transition.actions)
        reward, initial = np.asarray(self.reward), np.asarray(self.initial)
        if reward.shape != expected:
            raise GameError(f"reward must have shape {expected}, got {reward.shape}")
        if initial.shape != expected[:1]:
            raise GameError(f"initial must have shape {expected[:1]}, got {initial.shape}")
        gamma = float(self.gamma)
        if not 0.0 <= gamma < 1.0:
            raise GameError(f"gamma must be in [0, 1), got {gamma:g}")
        object.__setattr__(self, "gamma", gamma)
        object.__setattr__(self, "reward", frozen(reward))
        object.__setattr__(self, "initial", frozen(initial))
        check_finite(self.reward, "reward", GameError)
        check_distributions(self.initial, "initial", GameError)

    @property
    def states(self) -> int:
        """Number of states, S."""
        return self.transition.states

    @property
    def actions(self) -> tuple[int, ...]:
        """Action counts (A_1, .., A_N)."""
        return self.transition.actions

    @property
    def agents(self) -> int:
        """Number of agents, N."""
        return len(self.actions)

    @property
    def joint_actions(self) -> int:
        """Number of joint actions, A = prod_i A_i."""
        return math.prod(self.actions)

    @cached_property
    def reward_range(self) -> float:
        """R = r_max - r_min (Assumption 2)."""
        return float(self.reward.max() - self.reward.min())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the content, in hexadecimal.

        Two processes that hold the same arrays in the same representation agree on it. A structured kernel
        and its dense export are different representations and differ.
        """
        hasher = hashlib.sha256(type(self.transition).__name__.encode())
        for array in (*self.transition.content(), self.reward, self.initial, np.array(self.gamma)):
            little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            hasher.update(f"{little.dtype.str}{array.shape}".encode())
            hasher.update(little.tobytes())
        return hasher.hexdigest()


def dense_game(
    name: str, transition: FloatArray, reward: FloatArray, initial: FloatArray, gamma: float
) -> Game:
    """Make a game from the whole transition tensor.

    Parameters
    ----------
    name : str
        For people.
    transition : (S, A_1, .., A_N, S) float
        Rows over the last axis are distributions.
    reward : (S, A_1, .., A_N) float
        Team reward.
    initial : (S,) float
        mu.
    gamma : float
        Discount, in [0, 1).

    Returns
    -------
    Game

    Raises
    ------
    GameError
        If an array is not what it should be.
    """
    return Game(name, DenseTransition(np.asarray(transition)), reward, initial, gamma)
