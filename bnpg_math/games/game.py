"""A cooperative Markov game <N, S, A, P, r, mu> with discount gamma (section 2)."""

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bnpg_files.quoting import quoted
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.npz import real
from bnpg_math.errors import GameError
from bnpg_math.games.discount import discount
from bnpg_math.games.probabilities import averaged_over_next, check_finite, distributions, frozen, place
from bnpg_math.games.transitions.dense import DenseTransition
from bnpg_math.games.transitions.interface import Transition
from bnpg_math.html_table import facts

MOST_AGENTS = 62
"""An array has 64 axes at the most, and P has one for each agent and two for states."""
LARGEST_GRADIENT = 1e150
"""max |r| / (1 - gamma)^2 of any game: no return, no gradient and no square of one overflows float64 then."""


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
        The team reward r(s, a), at most `LARGEST_GRADIENT` (1 - gamma)^2 in magnitude.
    initial : (S,) float
        mu, sums to 1 as rows of P do (`probabilities.distributions`).
    gamma : float
        Discount, in [0, 1).
    notices : tuple of str
        What a person should know of how the numbers were taken in, a line each; this adds its own.

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
    notices: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise GameError(f"name must be a text, got {quoted(self.name)}")
        expected = (self.transition.states, *self.transition.actions)
        reward = real(self.reward, "reward", GameError)
        initial = real(self.initial, "initial", GameError)
        if reward.shape != expected:
            raise GameError(f"reward must have shape {expected}, got {reward.shape}{_hint(reward, expected)}")
        if initial.shape != expected[:1]:
            raise GameError(f"initial must have shape {expected[:1]}, got {initial.shape}")
        gamma = discount(self.gamma)
        object.__setattr__(self, "gamma", gamma)
        object.__setattr__(self, "reward", frozen(reward))
        check_finite(self.reward, "reward", GameError)
        _check_returns(self.reward, gamma)
        rows, notice = distributions(initial, "initial", GameError)
        object.__setattr__(self, "initial", frozen(rows))
        noticed = (*self.notices, *self.transition.notices, notice)
        object.__setattr__(self, "notices", tuple(filter(None, noticed)))

    def __repr__(self) -> str:
        return (
            f"<Game {self.name!r}: {self.agents} agents, {self.states} states, actions {self.actions}, "
            f"gamma {self.gamma:g}>"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return facts(
            f"Game {self.name}",
            {
                "agents": self.agents,
                "states": self.states,
                "actions": ", ".join(map(str, self.actions)),
                "joint actions": self.joint_actions,
                "gamma": self.gamma,
                "rewards": f"{self.reward.min():.6g} to {self.reward.max():.6g}",
            },
        )

    def __eq__(self, other: object) -> bool:
        """Whether another game has the same content in the same form, to the bit; names do not count."""
        if not isinstance(other, Game):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

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


def _check_returns(reward: FloatArray, gamma: float) -> None:
    """Refuse rewards whose returns, or what is computed from them, would overflow."""
    largest = LARGEST_GRADIENT * (1.0 - gamma) ** 2
    index = int(np.argmax(np.abs(reward)))
    value = reward.reshape(-1)[index]
    if abs(value) > largest:
        raise GameError(
            f"{place('reward', index, reward.shape)} must be in -{largest:.3g}..{largest:.3g} with "
            f"gamma = {gamma:g}, or returns and gradients overflow, got {value:g}; scale the rewards"
        )


def _hint(reward: FloatArray, expected: tuple[int, ...]) -> str:
    """How rewards of another form, as other programs keep them, become those of the team."""
    agents = len(expected) - 1
    every_agent = "one reward an agent? A team shares one: add or average them over the agents' axis"
    if reward.shape == (*expected, agents):
        return f"; {every_agent} (the last)"
    if reward.shape == (agents, *expected):
        return f"; {every_agent} (the first)"
    if reward.shape == (*expected, expected[0]):
        return "; r(s, a, s')? Average it: (transition * reward).sum(-1)"
    if reward.shape == expected[:1]:
        return "; r(s)? Repeat it for every joint action"
    return ""


def dense_game(
    name: str, transition: FloatArray, reward: FloatArray, initial: FloatArray, gamma: float | FloatArray
) -> Game:
    """Make a game from the whole transition tensor.

    Parameters
    ----------
    name : str
        For people.
    transition : (S, A_1, .., A_N, S) float
        Rows over the last axis are distributions.
    reward : (S, A_1, .., A_N) float
        Team reward. One of r(s, a, s'), in the shape of `transition`, is averaged over the next state, and
        a notice says so; not where there are as many states as agents, when it may be one reward an agent.
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
    kernel = DenseTransition(real(transition, "transition", GameError))
    table = kernel.to_dense()
    earned = real(reward, "reward", GameError)
    given = discount(gamma)
    if earned.shape != table.shape or kernel.states == len(kernel.actions):
        return Game(name, kernel, earned, initial, given)
    check_finite(earned, "reward", GameError)
    average, notice = averaged_over_next(table, earned)
    return Game(name, kernel, average, initial, given, (notice,))
