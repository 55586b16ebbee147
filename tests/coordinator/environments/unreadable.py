"""Environments that raise where others read what they are: agents, spaces, metadata."""

import sys

from gymnasium.spaces import Discrete


class Base:
    """A team of two that plays as it should."""

    possible_agents = ("a", "b")
    agents = ()

    def action_space(self, agent):
        return Discrete(2)

    def observation_space(self, agent):
        return Discrete(2)

    def reset(self, seed=None):
        self.agents = list("ab")
        return {"a": 0, "b": 0}, {}

    def step(self, actions):
        nobody = {"a": False, "b": False}
        return {"a": 0, "b": 0}, {"a": 0.0, "b": 0.0}, nobody, nobody, {}


class NoAgentsYet(Base):
    @property
    def possible_agents(self):
        raise ValueError("no agents yet")


class NoNames(Base):
    possible_agents = ({}, [])


class NoCount(Base):
    def action_space(self, agent):
        return type("Discrete", (), {})()


class Leaves(Base):
    @property
    def possible_agents(self):
        sys.exit(3)


class NoStateSpace(Base):
    @property
    def state_space(self):
        raise RuntimeError("no state")


class NoActionSpace:
    observation_space = Discrete(2)

    @property
    def action_space(self):
        raise RuntimeError("no space yet")

    def step(self, action): ...

    def reset(self, seed=None): ...


class Turns(Base):
    metadata = None

    def agent_iter(self): ...
