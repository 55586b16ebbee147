"""What the adapter of others' environments is said to cost, by a clock that only work moves."""

import pytest
from bnpg_coordinator.environments.opening import Playing, open_world
from bnpg_coordinator.environments.probe import LANES
from bnpg_coordinator.environments.world import EnvironmentPlay, EnvironmentWorld

from bnpg import environment_speed
from bnpg.environment_check import added_text
from bnpg.environment_speed import PAIRS, measured_speed

gymnasium = pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")


class Clock:
    """Seconds that pass as somebody says."""

    now = 0.0

    def __call__(self):
        return self.now


class Slow:
    """Two agents who see nothing; beginning an episode of ten steps takes far longer than a step."""

    possible_agents = ("a", "b")

    def __init__(self, clock):
        self.clock = clock

    def observation_space(self, agent):
        return gymnasium.spaces.Discrete(1)

    def action_space(self, agent):
        return gymnasium.spaces.Discrete(2)

    def reset(self, seed=None):
        self.clock.now += 1e-3
        self.agents, self.time = list(self.possible_agents), 0
        return dict.fromkeys(self.agents, 0), {}

    def step(self, actions):
        self.clock.now += 1e-5
        self.time += 1
        over = dict.fromkeys(actions, self.time == 10)
        self.agents = [] if over["a"] else self.agents
        return dict.fromkeys(actions, 0), dict.fromkeys(actions, 1.0), over, dict.fromkeys(actions, False), {}


def measured(clock, **options):
    world = EnvironmentWorld(lambda: Slow(clock), "slow", 0.9, 100, **options)
    return measured_speed(world, "slow", 0, 60.0, clock)


@pytest.mark.parametrize("fresh", [False, True])
def test_beginnings_count_alike_so_that_an_adapter_that_takes_no_time_adds_none(fresh):
    speed = measured(Clock(), fresh=fresh)
    assert speed.added is None
    assert speed.alone == pytest.approx(speed.seconds)
    assert speed.alone > 1e-5 + 1e-4, "the beginnings are in it"
    assert added_text(speed, 2) == "adds nothing that can be measured to the time of the environment alone"


@pytest.mark.parametrize(
    ("a_step", "a_beginning"), [(4e-5, 0.0), (0.0, 1e-2)], ids=["in steps", "at the beginning"]
)
def test_what_the_adapter_takes_is_told(monkeypatch, a_step, a_beginning):
    clock = Clock()
    take, begin = EnvironmentPlay.take, EnvironmentPlay.__init__

    def slow_take(*arguments):
        clock.now += a_step * LANES
        return take(*arguments)

    def slow_begin(*arguments):
        clock.now += a_beginning * LANES
        begin(*arguments)

    without = measured(clock)
    monkeypatch.setattr(EnvironmentPlay, "take", slow_take)
    monkeypatch.setattr(EnvironmentPlay, "__init__", slow_begin)
    speed = measured(clock)
    if a_step:
        assert speed.added == pytest.approx(a_step, rel=0.2)
        times = f"{1 + speed.added / speed.alone:.2f} times the time of the environment alone"
        more = f"{1e6 * speed.added / 2:.1f} us more for each agent's step"
        assert added_text(speed, 2) == f"{times}, {more}"
    assert speed.added > 1e-6
    assert speed.seconds > without.seconds


@pytest.mark.parametrize(
    ("through", "alone", "added"),
    [
        ([5e-5, 9e-3, 5e-5, 5e-5, 7e-3, 5e-5, 6e-5, 5e-5, 8e-5], [2e-5] * PAIRS, 3e-5),
        ([5e-5] * PAIRS, [2e-5, 9e-3, 2e-5, 7e-3, 2e-5, 7e-3, 2e-5, 2e-5, 2e-5], None),
        ([5e-5] * PAIRS, [7.7e-4] * PAIRS, None),
        ([5e-5] * PAIRS, [5e-5 - 1e-9] * PAIRS, None),
    ],
    ids=["a busy machine", "too busy", "less", "next to nothing"],
)
def test_of_rounds_in_turns_the_least_count_and_most_pairs_must_agree(monkeypatch, through, alone, added):
    told = iter([one for pair in zip(through, alone, strict=True) for one in pair])  # in turns
    monkeypatch.setattr(environment_speed, "_seconds_a_step", lambda *_: next(told))
    monkeypatch.setattr(environment_speed._Alone, "seconds_a_step", lambda *_: next(told))
    speed = measured(Clock())
    assert (speed.seconds, speed.alone) == (min(through), min(alone))
    assert speed.added == (added and pytest.approx(added))


def test_a_world_that_is_made_of_no_environment_is_compared_with_none():
    class Ticking(Clock):
        def __call__(self):
            self.now += 1e-4
            return self.now

    world = open_world("relay", {}, Playing(gamma=0.9, steps=20)).world
    speed = measured_speed(world, "relay", 0, 60.0, Ticking())
    assert speed.seconds > 0
    assert (speed.alone, speed.added) == (None, None)
