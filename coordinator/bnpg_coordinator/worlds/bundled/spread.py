"""Spread of the multi-particle environments (Lowe et al. 2017): agents are to cover landmarks, apart.

Equal to `simple_spread_v3` of the package `mpe2`, bit for bit, in what is seen and in the rewards: a test
compares. So sums go in that package's order, and positions move before velocities do. Only what is drawn is
ours: first positions, from counted random numbers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Box, End
from bnpg_coordinator.worlds.simulated import State
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.games.builtin.parameters import between

TIMESTEP, DAMPING, SENSITIVITY = 0.1, 0.25, 5.0
SIZE = 0.15
"""Radius of an agent."""
CONTACT_FORCE, CONTACT_MARGIN = 1e2, 1e-3
PUSHES = np.array([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]) * SENSITIVITY
"""Force of each action."""


class Spread:
    """Agents cover as many landmarks and are not to collide; five actions: rest, left, right, down, up."""

    end = End.TRUNCATED

    def __init__(self, agents: int = 3, local_ratio: float = 0.5, T: int = 25) -> None:
        between("spread: agents", agents, 1, 100)
        between("spread: local_ratio", local_ratio, 0, 1)
        between("spread: T", T, 1, 1_000_000)
        self.name = f"spread(agents={agents}, local_ratio={local_ratio!r}, T={T})"
        self.agents, self.local_ratio, self.length = agents, local_ratio, T
        self.actions = (5,) * agents
        self.spaces = (Box(4 + 2 * agents + 4 * (agents - 1)),) * agents
        self.draws = (4 * agents, 0)

    def begin(self, drawn: FloatArray) -> State:
        """Return positions of agents and landmarks, uniform in [-1, 1)^2, and velocities of 0.

        Three arrays (N, 2, n) with the lanes last, turned so that they are first.
        """
        places = (drawn * 2.0 - 1.0).reshape(2, self.agents, 2, -1)
        return self.state(places[0], np.zeros_like(places[0]), places[1])

    def state(self, agents: FloatArray, velocities: FloatArray, landmarks: FloatArray) -> State:
        """Return a state from arrays (N, 2, n)."""
        return tuple(array.transpose(2, 0, 1) for array in (agents, velocities, landmarks))

    def step(self, state: State, actions: Sequence[IntArray], drawn: FloatArray) -> tuple[State, FloatArray]:
        """Return where everything is 0.1 s later, and the mean of the agents' rewards."""
        del drawn
        places, velocities, landmarks = _lanes_last(state)
        forces = np.stack([PUSHES.take(chosen, axis=0).T for chosen in actions])
        for agent in range(self.agents):
            for other in range(agent + 1, self.agents):
                force = _contact(places[agent] - places[other])
                forces[agent] = force + forces[agent]
                forces[other] = -force + forces[other]
        places = places + velocities * TIMESTEP
        velocities = velocities * (1 - DAMPING)
        velocities += forces * TIMESTEP
        following = self.state(places, velocities, landmarks)
        return following, self._team(self.rewards(following))

    def rewards(self, state: State) -> FloatArray:
        """Return every agent's own reward, (N, n)."""
        places, _, landmarks = _lanes_last(state)
        shared = np.zeros(places.shape[-1])
        for landmark in landmarks:
            shared -= np.min([_distance(place - landmark) for place in places], axis=0)
        own = np.zeros((self.agents, places.shape[-1]))
        for agent in range(self.agents):
            for other in range(agent + 1, self.agents):
                collides = _distance(places[agent] - places[other]) < SIZE + SIZE
                own[agent] -= collides
                own[other] -= collides
        rewards: FloatArray = shared * (1 - self.local_ratio) + own * self.local_ratio
        return rewards

    def see(self, state: State) -> tuple[NDArray[np.float32], ...]:
        """Return each agent's velocity and position, landmarks and others from there, and their silence."""
        places, velocities, landmarks = _lanes_last(state)
        lanes = places.shape[-1]
        seen = []
        for agent, place in enumerate(places):
            others = [other for other in range(self.agents) if other != agent]
            numbers = np.zeros((self.spaces[0].width, lanes), dtype=np.float32)
            numbers[0:2], numbers[2:4] = velocities[agent], place
            ends = 4 + 2 * self.agents, 4 + 2 * self.agents + 2 * len(others)
            numbers[4 : ends[0]] = (landmarks - place).reshape(-1, lanes)
            numbers[ends[0] : ends[1]] = (places[others] - place).reshape(-1, lanes)
            seen.append(np.ascontiguousarray(numbers.T))
        return tuple(seen)

    def _team(self, rewards: FloatArray) -> FloatArray:
        total: FloatArray = rewards[0].copy()
        for reward in rewards[1:]:
            total += reward
        total /= self.agents
        return total


def _lanes_last(state: State) -> tuple[FloatArray, FloatArray, FloatArray]:
    places, velocities, landmarks = (array.transpose(1, 2, 0) for array in state)
    return places, velocities, landmarks


def _distance(apart: FloatArray) -> FloatArray:
    squares = np.square(apart)
    distance: FloatArray = np.sqrt(squares[0] + squares[1])
    return distance


def _contact(apart: FloatArray) -> FloatArray:
    """Return the force on the first of two agents that are so far apart, (2, n)."""
    distance = _distance(apart)
    penetration = np.logaddexp(0, -(distance - (SIZE + SIZE)) / CONTACT_MARGIN) * CONTACT_MARGIN
    force: FloatArray = CONTACT_FORCE * apart / distance * penetration
    return force
