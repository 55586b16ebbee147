"""The world of somebody else's environment: an instance a lane, each reset with a seed of its own.

The seed is drawn by round, episode and lane, and episodes begin with a reset, so a round is a function of the
experiment's seed and of the actions, whatever was played before. That is true only of environments that draw
everything from that seed and carry nothing over: `bnpg_coordinator.environments.checking` looks.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bnpg_coordinator.environments.foreign import OURS, described
from bnpg_coordinator.environments.guard import guarded
from bnpg_coordinator.environments.observation import MASK, Reader, reader, whole
from bnpg_coordinator.environments.teams import RESET, Team, reset_parts, step_parts
from bnpg_coordinator.environments.turn_log import TurnLog
from bnpg_coordinator.environments.views import WHOLE, Views
from bnpg_coordinator.worlds.interface import Box, End, Seen, WorldFailed
from bnpg_math.arrays import IntArray
from bnpg_math.chance.streams import BLOCK, Purpose, uniforms
from bnpg_math.errors import InputError

MOST_ACTIONS = 1 << 16
"""Actions of an agent: they travel as 16 bits."""
PATIENCE = 60.0
"""Seconds that a step of all lanes of a turn may take."""


class EnvironmentWorld:
    """An environment as a world.

    One round at a time: a new one takes the instances of the last.

    Parameters
    ----------
    make : callable
        Returns another instance of the environment.
    name : str
        What it is called in messages.
    gamma : float
        Discount in [0, 1].
    steps : int
        Environment steps of a round, a lane.
    reward : {'mean', 'sum'}
        What the team gets of the agents' rewards.
    patience : float
        Seconds after which an environment counts as hung.
    fresh : bool
        Whether every episode gets an instance of its own, for an environment that carries something over.
    with_state : bool
        Whether its whole state is wanted, from `state()`, where it has a `state_space` of numbers.

    Raises
    ------
    InputError
        If it has spaces that cannot be used.
    """

    guarded = True  # what raises in it is a WorldFailed already

    def __init__(
        self,
        make: Callable[[], Team],
        name: str,
        gamma: float,
        steps: int,
        reward: str = "mean",
        patience: float = PATIENCE,
        fresh: bool = False,
        with_state: bool = False,
    ) -> None:
        self.make = make
        self.fresh = fresh
        self.name = name
        self.gamma = gamma
        self.steps = steps
        self.strata = steps
        self.model = None
        self.patience = patience
        self.instances: list[Team] = [make()]
        first = self.instances[0]
        try:
            self.agents = list(first.possible_agents)
        except (AttributeError, TypeError):
            raise InputError(f"{name} does not say which agents are possible (possible_agents)") from None
        if not self.agents:
            raise InputError(f"{name} has no agents")
        if len(set(self.agents)) < len(self.agents):
            raise InputError(f"{name} names an agent twice in possible_agents: {self.agents!r:.100}")
        self.number = {agent: number for number, agent in enumerate(self.agents)}
        self.everybody = list(range(len(self.agents)))
        """Who lives where all agents do."""
        self.readers: list[Reader] = []
        self.actions, self.starts = self._spaces(first)
        self.spaces: tuple[Box, ...] = tuple(reader.box for reader in self.readers)
        self.state = _state_reader(first, name) if with_state else None
        """What reads `state()`; None where there is none, or nobody wants it."""
        self.shapes = [reader.shape for reader in self.readers]
        self.sizes = [
            np.array(space.sizes, dtype=np.float32) if space.values else None for space in self.spaces
        ]
        """How many values each number of an agent has, where they are counted."""
        self.divisor = float(len(self.agents)) if reward == "mean" else 1.0
        self.rewards_differ = False
        """Whether agents were seen to get different rewards."""

    def begin(self, seed: int, round_: int, lanes: int) -> "EnvironmentPlay":
        """Return a round, at the beginning of its first episodes."""
        return self.begin_from(seed, round_, lanes, 0)

    def begin_from(self, seed: int, round_: int, lanes: int, first: int) -> "EnvironmentPlay":
        """Return the lanes of a round from `first` on, a multiple of `BLOCK`, as they are among all."""
        while len(self.instances) < lanes:
            try:
                self.instances.append(self.make())
            except InputError as error:
                raise WorldFailed(f"lane {first + len(self.instances)}, step 0: {error}") from None
        return EnvironmentPlay(self, seed, round_, lanes, first)

    def close(self) -> None:
        """Let all instances go."""
        for instance in self.instances:
            _close(instance)
        self.instances = []

    def _spaces(self, team: Team) -> tuple[tuple[int, ...], list[int]]:
        actions, starts = [], []
        for agent in self.agents:
            who = f"{self.name}: agent {agent!r}"
            try:
                does, sees = team.action_space(agent), team.observation_space(agent)
            except OURS:
                raise
            except BaseException as error:
                raise InputError(f"{who} has no spaces: {described(error)}") from error
            if type(does).__name__ != "Discrete":
                raise InputError(f"{who} must act in a Discrete space, got {does!s:.100}")
            if does.n > MOST_ACTIONS:
                raise InputError(f"{who} must have at most {MOST_ACTIONS} actions, got {does.n}")
            actions.append(int(does.n))
            starts.append(int(does.start))
            self.readers.append(reader(sees, who))
        return tuple(actions), starts


def _state_reader(team: Team, name: str) -> Reader | None:
    space = getattr(team, "state_space", None)
    if space is None or not callable(getattr(team, "state", None)):
        return None
    try:
        return reader(space, f"{name}: state()")
    except InputError:  # a picture, or a space of its own: what the agents see is all there is then
        return None


def _close(team: Team) -> None:
    close = getattr(team, "close", None)
    if close is not None:
        close()


class EnvironmentPlay(TurnLog):
    """One round of an environment, or the lanes of it from `first` on; they are counted from there here."""

    def __init__(self, world: EnvironmentWorld, seed: int, round_: int, lanes: int, first: int) -> None:
        super().__init__()
        self._world = world
        self._first = first
        self._seed, self._round = seed, round_
        self._instances = world.instances[:lanes]
        self._episodes = [0] * lanes
        self._into = np.zeros(lanes, dtype=np.int64)
        """Steps each lane has made in its episode."""
        self._living: list[list[int]] = [[]] * lanes
        """Which agents take part, in each lane."""
        self._last: Views | None = None
        """What is seen after the last steps of episodes, while a turn is taken."""
        self._lane = self._agent = -1
        """Where the environment is asked at the moment; agent -1 is all of them."""
        drawn = uniforms(seed, Purpose.ENV_SEED, 0, round_, 0, lanes, first)
        seeds = (drawn * 2**31).astype(np.int64).tolist()
        views = Views(world, lanes)

        def begin() -> None:
            for lane in range(lanes):
                self._reset(lane, lane, seeds[lane], views)

        self._watched(begin, 0)
        self.first = self._seen(views, 0, 0)

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn; where an episode is over, the next one begins."""
        return self.take(time, lane, len(seen), actions, alive)

    def take(self, time: int, lane: int, lanes: int, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn of so many lanes, as `step` does."""
        rewards, ends = [0.0] * lanes, [0] * lanes
        views = Views(self._world, alive)
        self._last = Views(self._world, lanes) if not alive else None
        # Actions come in the smallest integers that hold them, and a space may begin anywhere.
        columns = [
            (np.add(chosen, start, dtype=np.int64) if start else chosen).tolist()
            for chosen, start in zip(actions, self._world.starts, strict=True)
        ]
        joint = list(zip(*columns, strict=True))

        def play() -> None:
            for k in range(lanes):
                rewards[k], ends[k] = self._step(lane + k, k, joint, views if k < alive else None)

        self._watched(play, time)
        self._rewards.append(np.array(rewards, dtype=np.float64))
        ended = np.array(ends, dtype=np.uint8)
        here = slice(lane, lane + lanes)
        self._strata.append(np.minimum(self._into[here], self._world.strata - 1))
        self._into[here] = np.where(ended == End.GOES_ON, self._into[here] + 1, 0)
        self._ends.append(ended)
        self._following.append(None if self._last is None else self._seen(self._last, time + 1, lane))
        return self._seen(views, time + 1, lane) if alive else None

    def _watched(self, play: Callable[[], Any], time: int) -> None:
        self._time = time
        guarded(play, self._world.patience, lambda: self._where(time))

    def _where(self, time: int) -> str:
        who = "all agents" if self._agent < 0 else f"agent {self._world.agents[self._agent]}"
        return f"lane {self._first + self._lane}, step {time}, {who}"

    def _reset(self, lane: int, k: int, seed: int, views: Views) -> None:
        self._lane, self._agent = lane, -1
        if self._world.fresh:
            _close(self._instances[lane])
            self._instances[lane] = self._world.instances[lane] = self._world.make()
        answer = self._instances[lane].reset(seed=seed)
        observed, infos = reset_parts(answer)
        if not hasattr(observed, "keys") or (infos and not hasattr(infos, "keys")):
            raise self._wrong(f"reset() must return {RESET}, both by agent, got {answer!r:.80}")
        present = sorted(self._numbers(self._instances[lane].agents))
        if not present:
            raise self._wrong("nobody takes part after reset(), agents is empty")
        self._living[lane] = self._world.everybody if present == self._world.everybody else present
        self._read(k, present, observed, infos, views)
        self._read_state(self._instances[lane], k, views)

    def _step(
        self, lane: int, k: int, joint: list[tuple[int, ...]], views: Views | None
    ) -> tuple[float, int]:
        """Step one lane; return its team reward and what became of the episode."""
        self._lane, self._agent = lane, -1
        world, env, living = self._world, self._instances[lane], self._living[lane]
        everybody = living is world.everybody
        names = world.agents if everybody else [world.agents[i] for i in living]
        actions = joint[k] if everybody else [joint[k][i] for i in living]
        answer = env.step(dict(zip(names, actions, strict=True)))
        observed, rewards, terminated, truncated, infos = step_parts(answer)
        total, differ = 0.0, False
        try:
            first = rewards[names[0]]
            for name in names:
                reward = rewards[name]
                total += reward
                if reward != first:
                    differ = True
            paid = math.isfinite(total)
        except (KeyError, TypeError, ValueError):
            paid = False
        if not paid:
            raise self._unpaid(living, rewards)
        if differ:
            world.rewards_differ = True
        paid_each = float(total / world.divisor)
        over = self._last is not None
        try:
            if not over:
                for name in names:
                    if terminated[name] or truncated[name]:
                        over = True
                        break
            if over:
                ended = [terminated[name] or truncated[name] for name in names]
                cut = any(truncated[name] and not terminated[name] for name in names)
        except (KeyError, IndexError, TypeError):
            raise self._unended(living, terminated, truncated) from None
        if not over:
            # As in nearly every step, nobody's part is over.
            if views is None or len(env.agents) > len(living):
                self._go_on(lane, k, living, (observed, infos), views)
            else:
                self._read(k, living, observed, infos, views)
                if world.state is not None:
                    self._read_state(env, k, views)
            return paid_each, End.GOES_ON
        left = [i for i, is_over in zip(living, ended, strict=True) if not is_over]
        if self._last is None and not left and cut:
            self._last = Views(world, len(joint))
        if self._last is not None and (left or cut):
            for i, name in zip(living, names, strict=True):
                if name in observed:
                    self._last.write(i, k, observed[name])
            self._read_state(env, k, self._last)
        if left:
            self._go_on(lane, k, left, (observed, infos), views)
            return paid_each, End.GOES_ON
        if views is not None:
            self._episodes[lane] += 1
            self._reset(lane, k, self._seed_of(lane, self._episodes[lane]), views)
        return paid_each, End.TRUNCATED if cut else End.TERMINATED

    def _go_on(
        self,
        lane: int,
        k: int,
        left: list[int],
        answer: tuple[Mapping[Any, Any], Mapping[Any, Any]],
        views: Views | None,
    ) -> None:
        """Take down who lives on in a lane, and what they see; `told` are observations and infos."""
        env = self._instances[lane]
        if len(env.agents) > len(left):  # somebody has joined, or the dead are not taken off the list
            joined = set(self._numbers(env.agents)) - set(self._living[lane])
            left = sorted({*left, *joined})
        self._living[lane] = self._world.everybody if left == self._world.everybody else left
        if views is not None:
            self._read(k, left, *answer, views)
            self._read_state(env, k, views)

    def _numbers(self, agents: Iterable[Any]) -> list[int]:
        try:
            return [self._world.number[agent] for agent in agents]
        except (KeyError, TypeError):
            strangers = [agent for agent in agents if agent not in self._world.agents]
            raise self._wrong(f"{strangers!r:.80} takes part and is not in possible_agents") from None

    def _wrong(self, why: str) -> WorldFailed:
        return WorldFailed(f"{self._where(self._time)}: {why}")

    def _unpaid(self, living: Iterable[int], rewards: Any) -> WorldFailed:
        """Return what is wrong with rewards, of the first agent of which something is."""
        if not isinstance(rewards, Mapping):
            return self._wrong(f"rewards must be by agent, got {rewards!r:.80}")
        for i in living:
            self._agent = i
            name = self._world.agents[i]
            if name not in rewards:
                return self._wrong("there is no reward")
            try:
                finite = math.isfinite(rewards[name])
            except (TypeError, ValueError):
                return self._wrong(f"the reward must be a number, got {rewards[name]!r:.80}")
            if not finite:
                return self._wrong(f"the reward must be finite, got {rewards[name]}")
        self._agent = -1
        return self._wrong("the sum of the rewards must be finite, got one that is too large")

    def _unended(self, living: Iterable[int], terminated: Any, truncated: Any) -> WorldFailed:
        """Return what is wrong with what says whose part is over."""
        for called, flags in (("terminations", terminated), ("truncations", truncated)):
            if not isinstance(flags, Mapping):
                return self._wrong(f"{called} must be by agent, got {flags!r:.80}")
            for i in living:
                if self._world.agents[i] not in flags:
                    self._agent = i
                    return self._wrong(f"{called} must have every agent, got {list(flags)!r:.80}")
        return self._wrong("terminations and truncations must be true or false by agent")

    def _seed_of(self, lane: int, episode: int) -> int:
        place = lane % BLOCK
        block = self._first + lane - place
        drawn = uniforms(self._seed, Purpose.ENV_SEED, 0, self._round, episode, BLOCK, block)
        return int(drawn[place] * 2**31)

    def _read(
        self,
        k: int,
        living: Sequence[int],
        observed: Mapping[Any, Any],
        infos: Mapping[Any, Any],
        views: Views,
    ) -> None:
        """Put what the living agents of a lane see into row k."""
        names, readers, shapes = self._world.agents, self._world.readers, self._world.shapes
        all_numbers, shaped = views.numbers, views.shaped
        i = -1
        try:
            for i in living:
                name = names[i]
                sees = observed[name]
                if readers[i].masked:
                    views.mask(i, k, sees[MASK])
                elif infos:
                    info = infos.get(name)
                    if info and MASK in info:
                        views.mask(i, k, info[MASK])
                numbers = all_numbers[i]
                if numbers is not None:
                    numbers[k] = sees if type(sees) in WHOLE else whole(sees)
                elif type(sees) is np.ndarray and sees.shape == shapes[i]:
                    shaped[i][k] = sees
                else:
                    readers[i].write(sees, views.of[i][k])
        except BaseException:
            self._agent = i
            if names[i] not in observed:
                raise self._wrong("there is no observation") from None
            raise
        if len(living) < len(names):
            views.bury(k, self._living[self._lane])

    def _read_state(self, env: Any, k: int, views: Views) -> None:
        """Put the whole state of a lane into row k, where it is wanted."""
        if self._world.state is not None:
            assert views.state is not None
            self._world.state.write(env.state(), views.state[k])

    def _seen(self, views: Views, time: int, lane: int) -> Seen:
        if views.state is not None and not np.isfinite(views.state).all():
            k = int((~np.isfinite(views.state).all(axis=1)).argmax())
            raise WorldFailed(
                f"lane {self._first + lane + k}, step {time}, all agents: "
                f"state() must hold finite numbers, got {views.state[k].tolist()!s:.80}"
            )
        views.settle()
        for i, of in enumerate(views.of):
            sizes = self._world.sizes[i]
            if views.allowed(i):
                continue
            wrong = ~np.isfinite(of).all(axis=1)
            if sizes is not None:
                wrong |= ((of < 0) | (of >= sizes) | (of != np.floor(of))).any(axis=1)
            if wrong.any():
                k = int(wrong.argmax())
                expected = "finite numbers" if sizes is None else "what its space allows"
                raise WorldFailed(
                    f"lane {self._first + lane + k}, step {time}, agent {self._world.agents[i]}: "
                    f"the observation must hold {expected}, got {of[k].tolist()!s:.80}"
                )
        return views.seen()
