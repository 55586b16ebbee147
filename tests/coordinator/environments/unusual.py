"""Environments that are unusual and right: whatever their agents are called, and whatever they show."""

import enum

import numpy as np
from gymnasium import spaces


class Plain:
    """Two agents push a number around; paid when it is 0."""

    metadata = {"name": "plain"}  # noqa: RUF012
    possible_agents = ("a", "b")
    sees = spaces.Discrete(4)
    does = spaces.Discrete(3)
    length = 6

    def observation_space(self, agent):
        return self.sees

    def action_space(self, agent):
        return self.does

    def reset(self, seed=None, options=None):
        self.rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self.time, self.number = 0, int(self.rng.integers(4))
        return self.shown(), {agent: {} for agent in self.agents}

    def step(self, actions):
        self.time += 1
        self.number = int((self.number + sum(actions.values()) + self.rng.integers(2)) % 4)
        living, over = self.agents, self.time == self.length
        seen, infos = self.shown(), self.infos(living)
        rewards = {agent: self.pay(agent) for agent in living}
        if over:
            self.agents = []
        return seen, rewards, dict.fromkeys(living, over), dict.fromkeys(living, False), infos

    def shown(self):
        return {agent: self.show(agent) for agent in self.agents}

    def show(self, agent):
        return self.number

    def pay(self, agent):
        return float(self.number == 0)

    def infos(self, living):
        return {agent: {} for agent in living}


class Colour(enum.Enum):
    """Names that are no text."""

    RED = 1
    GREEN = 2


class Signs(Plain):
    possible_agents = ("взор\nзоркий", "🦊\x1b[31m")


class Numbers(Plain):
    possible_agents = (7, -1)


class Pairs(Plain):
    possible_agents = (("row", 1), ("row", 2))


class Members(Plain):
    possible_agents = tuple(Colour)


class NumpyRewards(Plain):
    def pay(self, agent):
        return np.array(super().pay(agent), dtype=np.float32)


class TruthRewards(Plain):
    def pay(self, agent):
        return self.number == 0


class NoInfos(Plain):
    def infos(self, living):
        return None


class EmptiesActions(Plain):
    def step(self, actions):
        found = super().step(actions)
        actions.clear()
        return found


class Nested(Plain):
    """It shows lists in tuples in a dictionary, in another order than that of its space."""

    sees = spaces.Dict(
        {
            "z": spaces.Tuple((spaces.Discrete(2, start=1), spaces.MultiBinary(2))),
            "a": spaces.MultiDiscrete([2, 2]),
        }
    )

    def show(self, agent):
        low, high = self.number % 2, self.number // 2
        return {"a": [low, high], "z": (1 + low, np.array([high, 0], dtype=bool))}


class OfNoAxis(Plain):
    sees = spaces.Box(-9, 9, (), np.float32)

    def show(self, agent):
        return np.float32(self.number)


class Nothing(Plain):
    sees = spaces.Box(-1, 1, (0,), np.float32)

    def show(self, agent):
        return np.zeros(0, dtype=np.float32)


class OneAction(Plain):
    does = spaces.Discrete(1)


class Alone(Plain):
    possible_agents = ("solo",)


class Short(Plain):
    length = 1


class Endless(Plain):
    length = 10**9


class MaskedNowAndThen(Plain):
    """Every other step all may choose but the last action, and what is masked breaks it."""

    masked = False

    def step(self, actions):
        assert not (self.masked and any(actions.values())), "a masked action was taken"
        return super().step(actions)

    def reset(self, seed=None, options=None):
        self.masked = False
        return super().reset(seed)

    def infos(self, living):
        self.masked = self.time % 2 == 1
        return {agent: {"action_mask": [True, False, False]} if self.masked else {} for agent in living}


class NothingAllowed(Plain):
    def infos(self, living):
        return {agent: {"action_mask": np.zeros(3, dtype=np.int8)} for agent in living}


class GoesAndReturns(Plain):
    """The second agent is gone for two steps."""

    def step(self, actions):
        assert set(actions) == set(self.agents)
        seen, rewards, terminated, truncated, infos = super().step(actions)
        if self.time == 2:
            self.agents = ["a"]
            terminated["b"] = True
        if self.time == 4:
            self.agents = ["a", "b"]
            seen["b"] = self.number
        return seen, rewards, terminated, truncated, infos


class MaskOfNan(Plain):
    """No mask: one of its numbers is none."""

    def infos(self, living):
        return {agent: {"action_mask": np.array([1, np.nan, 0])} for agent in living}


class MaskOfWords(Plain):
    """No mask at all."""

    def infos(self, living):
        return {agent: {"action_mask": ["yes", "no", "no"]} for agent in living}
