"""Small environments, good and bad, in the form of PettingZoo's parallel ones."""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import time
import weakref

import numpy as np
from gymnasium import spaces


class Meeting:
    """Two agents walk on a ring of five; paid when they meet; the second one may leave early.

    Agent `b` may not step where it came from; it is gone once they have met twice.
    """

    metadata = {"name": "meeting"}  # noqa: RUF012
    possible_agents = ["a", "b"]  # noqa: RUF012

    def __init__(self, length=8, masks=True):
        self.length, self.masks = length, masks

    def observation_space(self, agent):
        inner = {"observation": spaces.MultiDiscrete([5, 5])}
        if self.masks:
            inner["action_mask"] = spaces.MultiBinary(3)
        return spaces.Dict(inner)

    def action_space(self, agent):
        return spaces.Discrete(3)

    def reset(self, seed=None, options=None):
        self.rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self.time = self.met = 0
        self.last = 1
        self.at = self.rng.integers(5, size=2)
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions):
        if self.masks and "b" in actions:
            assert actions["b"] != 2 - self.last or self.last == 1, "a masked action was taken"
        for number, agent in enumerate(self.possible_agents):
            if agent in actions:
                self.at[number] = (self.at[number] + actions[agent] - 1) % 5
        self.last = actions.get("b", 1)
        self.at[0] = (self.at[0] + (self.rng.random() < 0.1)) % 5
        self.time += 1
        met = bool(self.at[0] == self.at[1]) and "b" in actions
        self.met += met
        rewards = {agent: float(met) + 0.5 * (agent == "b") for agent in self.agents}
        cut = self.time >= self.length
        terminated = {agent: agent == "b" and self.met >= 2 and not cut for agent in self.agents}
        truncated = dict.fromkeys(self.agents, cut)
        seen, infos = self._seen(), {agent: {} for agent in self.agents}
        self.agents = [one for one in self.agents if not (terminated[one] or truncated[one])]
        return seen, rewards, terminated, truncated, infos

    def _seen(self):
        found = {}
        for agent in self.agents:
            own = {"observation": self.at if agent == "a" else self.at[::-1]}
            if self.masks:
                mask = np.ones(3, dtype=np.int8)
                if agent == "b" and self.last != 1:
                    mask[2 - self.last] = 0
                own["action_mask"] = mask
            found[agent] = own
        return found


class Stated(Meeting):
    """It says its whole state: where both are, and what was done last."""

    state_space = spaces.Box(-9.0, 9.0, (3,), np.float32)

    def state(self):
        return np.array([*self.at, self.last], dtype=np.float32)


class StatesUnseeded(Stated):
    """What it says of itself is drawn where nobody looks."""

    def state(self):
        return super().state() + np.float32(np.random.default_rng().random())


class StatesNothingFinite(Stated):
    """What it says of itself is no number."""

    def state(self):
        return super().state() * (np.nan if self.time == 2 else 1)


class Unseeded(Meeting):
    """It draws where nobody looks."""

    def reset(self, seed=None, options=None):
        return super().reset()


class CarriesOver(Meeting):
    """It remembers how many episodes it has played."""

    played = 0

    def reset(self, seed=None, options=None):
        self.played += 1
        return super().reset(seed + self.played)


class SharedChance(Meeting):
    """It seeds the global generator, which other instances use too."""

    def reset(self, seed=None, options=None):
        found = super().reset(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        return found

    def step(self, actions):
        self.at[0] = (self.at[0] + np.random.randint(2)) % 5  # noqa: NPY002
        return super().step(actions)


class Raises(Meeting):
    """It breaks down in its third step."""

    def step(self, actions):
        if self.time == 3:
            raise RuntimeError("the motor\nbroke")
        return super().step(actions)


class Exits(Meeting):
    """It ends its process in its third step."""

    def step(self, actions):
        if self.time == 3:
            os._exit(0)
        return super().step(actions)


class HasAChild(Meeting):
    """It forks a child in its first step, which does not end by itself."""

    def step(self, actions):
        if self.time == 0 and os.fork() == 0:
            signal.pause()
            os._exit(0)
        return super().step(actions)


class Hangs(Meeting):
    """It never comes back from its third step."""

    def step(self, actions):
        while self.time == 3:
            time.sleep(0.01)
        return super().step(actions)


class PaysNothingFinite(Meeting):
    """One agent is paid infinity."""

    def step(self, actions):
        seen, rewards, *others = super().step(actions)
        if self.time == 2:
            rewards["b"] = float("inf")
        return seen, rewards, *others


class SeesWrong(Meeting):
    """What is seen is not what the space says."""

    def _seen(self):
        found = super()._seen()
        if self.agents and getattr(self, "time", 0) == 2:
            found["a"]["observation"] = np.array([7, 0])
        return found


class SeesMore(Meeting):
    """What is seen has another shape."""

    def _seen(self):
        found = super()._seen()
        if getattr(self, "time", 0) == 2:
            found["a"]["observation"] = np.array([1, 0, 0])
        return found


class CatchesOnce(Hangs):
    """It catches whatever ends its third step, and tries again."""

    def step(self, actions):
        try:
            return super().step(actions)
        except BaseException:
            return super().step(actions)


class CatchesLate(Hangs):
    """It catches whatever ends its third step, and makes do without."""

    def step(self, actions):
        try:
            return super().step(actions)
        except BaseException:
            return Meeting.step(self, actions)


class CatchesAll(Meeting):
    """Hangs, whatever is raised in it."""

    def step(self, actions):
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(60.0)


class IsStopped(Meeting):
    """Is stopped in its first step, with all of its process, until somebody wakes it."""

    def step(self, actions):
        os.kill(os.getpid(), signal.SIGSTOP)
        return super().step(actions)


class NeverReturns(Meeting):
    """Waits in a library, which goes on waiting whatever signal comes."""

    def step(self, actions):
        library, lock = ctypes.CDLL(None), ctypes.create_string_buffer(128)
        library.pthread_mutex_lock(lock)
        library.pthread_mutex_lock(lock)


class HangsAsItIsMade(Meeting):
    """Does not come to be."""

    def __init__(self):
        time.sleep(60.0)


class Explains(Hangs):
    """It says in its own words what ends its third step."""

    def step(self, actions):
        try:
            return super().step(actions)
        except BaseException as error:
            raise RuntimeError("the motor was stopped") from error


def _take_long(*_):
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        time.sleep(0.01)


class HangsAside(Meeting):
    """What its third step does takes too long, where nothing can be raised to anybody: in a destructor."""

    def step(self, actions):
        if self.time == 3:
            self.aside()
        return super().step(actions)

    def aside(self):
        type("Left", (), {"__del__": _take_long})()


class HangsInReference(HangsAside):
    """There, in what a weak reference calls."""

    def aside(self):
        target = type("Target", (), {})()
        reference = weakref.ref(target, _take_long)
        del target
        assert reference() is None


class HangsInCollection(HangsAside):
    """There, in what every collection of garbage calls."""

    def aside(self):
        gc.callbacks.append(_take_long)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(_take_long)


class Continuous(Meeting):
    """Actions are numbers."""

    def action_space(self, agent):
        return spaces.Box(-1.0, 1.0, (2,))


class Pictures(Meeting):
    """What is seen is a picture."""

    def observation_space(self, agent):
        return spaces.Box(0, 255, (64, 64, 3), np.uint8)


class Pair:
    """The same walk as an environment of Gymnasium whose spaces are tuples."""

    action_space = spaces.Tuple((spaces.Discrete(3), spaces.Discrete(3, start=5)))
    observation_space = spaces.Tuple((spaces.Discrete(5, start=-2), spaces.Box(0, 4, (1,), np.int64)))

    def reset(self, seed=None, options=None):
        self.rng = np.random.default_rng(seed)
        self.time, self.at = 0, self.rng.integers(5, size=2)
        return self._seen(), {"action_mask": [np.array([1, 1, 0]), np.array([1, 1, 1])]}

    def step(self, actions):
        assert actions[0] in (0, 1), "a masked action was taken"
        assert actions[1] in (5, 6, 7), "actions begin where the space does"
        self.at = (self.at + np.array(actions) - (1, 6)) % 5
        self.time += 1
        reward = [float(self.at[0] == self.at[1])] * 2
        info = {"action_mask": [np.array([1, 1, 0]), np.array([1, 1, 1])]}
        return self._seen(), reward, self.time == 6, False, info

    def _seen(self):
        return int(self.at[0]) - 2, np.array([self.at[1]])

    def close(self):
        pass


class Odd(Meeting):
    """It goes wrong in the way that it is told."""

    def __init__(self, how):
        super().__init__(masks=False)
        self.how = how
        if how == "twice":
            self.possible_agents = ["a", "a"]

    def observation_space(self, agent):
        return spaces.Discrete(5)

    def action_space(self, agent):
        return spaces.Discrete(2**40 if self.how == "actions" else 3)

    def reset(self, seed=None, options=None):
        found = super().reset(seed)
        if self.how == "nobody":
            self.agents = []
        return found[0] if self.how == "old reset" else found

    def step(self, actions):
        if self.how == "exits":
            raise SystemExit(3)
        if self.how == "cancelled":
            raise asyncio.CancelledError
        if self.how == "skips":
            raise BaseException("x")  # noqa: TRY002
        if self.how == "unspeakable":
            raise Unspeakable
        if self.how == "exits as it speaks":
            raise ExitsAsItSpeaks
        if self.how == "colours":
            raise ValueError("a\x1b[31mred\x1b[0m\nline")
        if self.how == "prints":
            print("a line that nobody asked for")
        seen, rewards, *others = super().step(actions)
        paid = {"none": None, "word": "much", "arrays": np.zeros(2), "huge": 1.7e308}
        if self.how in paid:
            rewards = dict.fromkeys(rewards, paid[self.how])
        if self.how == "unpaid":
            del rewards["b"]
        if self.how == "unseen":
            seen.pop("b", None)
        if self.how == "joins" and self.agents:
            self.agents.append("c")
        if self.how == "flag":
            others[0] = False
        if self.how == "unended":
            del others[1]["b"]
        return (seen, rewards, others[0], others[2]) if self.how == "four" else (seen, rewards, *others)

    def _seen(self):
        if self.how == "beyond":
            return dict.fromkeys(self.agents, 2**80 if self.time == 2 else 0)
        half = 0.5 if self.how == "half" else 0
        return {agent: int(self.at[0]) + half for agent in self.agents}


class OneBuffer(Meeting):
    """All its instances show what they see in the same array, or in the same whole number."""

    shown = np.zeros(2, dtype=np.int64)

    def __init__(self, counted=False):
        super().__init__(masks=False)
        self.counted = counted

    def observation_space(self, agent):
        return spaces.Discrete(5) if self.counted else spaces.MultiDiscrete([5, 5])

    def _seen(self):
        self.shown[:] = self.at
        return dict.fromkeys(self.agents, self.shown[:1].reshape(()) if self.counted else self.shown)


class OwnBuffers(OneBuffer):
    """It shows the same in arrays of their own."""

    def _seen(self):
        return dict.fromkeys(self.agents, int(self.at[0]) if self.counted else np.array(self.at))


class ChangesKind(OwnBuffers):
    """It shows the same in numbers of another kind every time."""

    def _seen(self):
        kind = (np.int8, np.float64, np.uint16, list)[self.time % 4]
        if self.counted:
            return dict.fromkeys(self.agents, kind(self.at[0]) if kind is not list else int(self.at[0]))
        shown = list(self.at) if kind is list else self.at.astype(kind)
        return dict.fromkeys(self.agents, shown)


class Starts(Meeting):
    """Its actions are numbered from anywhere."""

    start = 0

    def __init__(self):
        super().__init__(masks=False)

    def action_space(self, agent):
        return spaces.Discrete(3, start=self.start)

    def step(self, actions):
        assert all(self.start <= action < self.start + 3 for action in actions.values())
        return super().step({agent: action - self.start for agent, action in actions.items()})


class Unspeakable(Exception):
    """Its text cannot be had."""

    def __str__(self):
        raise RuntimeError("no")


class ExitsAsItSpeaks(Exception):
    """Its text ends the process."""

    def __str__(self):
        raise SystemExit(3)
