"""A World of one's own: whatever it does, others meet a world, or one that says how it failed and where."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.environments.guarded_world import GuardedWorld
from bnpg_coordinator.environments.opening import Playing, open_object, open_world
from bnpg_coordinator.environments.probe import play
from bnpg_coordinator.worlds.interface import EpisodicPlay, FollowedPlay, WorldFailed

from bnpg.conformance import check_world
from bnpg_math.errors import InputError

LANES = 8


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The module of `own_worlds.py`, in a folder of its own."""
    path = tmp_path / "own_worlds.py"
    shutil.copy(Path(__file__).with_name("own_worlds.py"), path)
    spec = importlib.util.spec_from_file_location("own_worlds", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "own_worlds", module)
    module.failing = path.with_name("failing")
    return module


def opened(made, patience=60.0):
    return open_object(made, "own", {}, Playing(1.0, 8, patience=patience)).world


def walk(world):
    """Play a round of 3 steps as the coordinator does, and ask for all that a round says."""
    round_ = world.begin(5, 1, LANES)
    seen = round_.first
    for time in range(3):
        round_.prepare()
        actions = [np.zeros(len(seen), dtype=np.uint8)] * 2
        seen = round_.step(time, 0, seen, actions, LANES if time < 2 else 0)
    return [round_.rewards(), round_.strata(), round_.ends(), round_.following()]


def test_one_that_keeps_its_word_is_the_same_world(own):
    guarded = opened(own.OwnWorld())
    assert isinstance(guarded, GuardedWorld)
    assert play(guarded, 3).digest == play(own.OwnWorld(), 3).digest
    check_world(guarded)
    assert (guarded.actions, guarded.spaces, guarded.gamma, guarded.strata, guarded.model) == (
        own.OwnWorld.actions, own.OwnWorld.spaces, 1.0, 8, None
    )  # fmt: skip
    assert not guarded.rewards_differ
    guarded.world.rewards_differ = True
    assert guarded.rewards_differ


@pytest.mark.parametrize("episodic", [False, True])
@pytest.mark.parametrize("followed", [False, True])
def test_a_round_is_of_the_kinds_that_it_is_of_without_a_guard(own, monkeypatch, episodic, followed):
    if not episodic:
        monkeypatch.delattr(own.OwnPlay, "ends")
    if not followed:
        monkeypatch.delattr(own.OwnPlay, "following")
    for world in (own.OwnWorld(), opened(own.OwnWorld())):
        round_ = world.begin(0, 0, 4)
        assert isinstance(round_, EpisodicPlay) == episodic
        assert isinstance(round_, FollowedPlay) == followed


RAISED = "the environment raised ValueError: own trouble in two lines"
PLACES = {
    "begin": "lanes 0 to 7, step 0",
    "first": "lanes 0 to 7, step 0",
    "step": "lanes 0 to 7, step 0",
    "prepare": r"lanes 0 to 7, step 0, prepare\(\)",
    "rewards": r"lanes 0 to 7, step 3, rewards\(\)",
    "strata": r"lanes 0 to 7, step 3, strata\(\)",
    "ends": r"lanes 0 to 7, step 3, ends\(\)",
    "following": r"lanes 0 to 7, step 3, following\(\)",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("raises", RAISED),
        ("exits", "the environment raised SystemExit: 3"),
        ("cancels", "the environment raised CancelledError: by itself"),
    ],
)
def test_what_it_raises_is_its_failure_with_the_place(own, place, how, why):
    world = opened(own.OwnWorld())
    own.failing.write_text(f"{place} {how}")
    with pytest.raises(WorldFailed, match=f"^{PLACES[place]}: {why}$") as failed:
        walk(world)
    assert not failed.value.hung


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_in_it_is_ctrl_c(own, place):
    world = opened(own.OwnWorld())
    own.failing.write_text(f"{place} interrupts")
    with pytest.raises(KeyboardInterrupt):
        walk(world)


@pytest.mark.parametrize("place", PLACES)
def test_where_it_hangs_it_is_given_up(own, place):
    world = opened(own.OwnWorld(), patience=0.2)
    own.failing.write_text(f"{place} hangs")
    with pytest.raises(WorldFailed, match=f"^{PLACES[place]}: the environment hangs, no answer for") as hung:
        walk(world)
    assert hung.value.hung


@pytest.mark.parametrize(
    ("failing", "why"),
    [
        ("begin none", r"lanes 0 to 7, step 0: begin\(\) must return a Play, got None"),
        ("first none", r"begin\(\) must return a round whose first is a Seen of 8 lanes, got None"),
        ("step none", r"lanes 0 to 7, step 0: step\(\) must return a Seen of 8 lanes, got None"),
        ("step fewer", r"lanes 0 to 7, step 0: step\(\) must return a Seen of 8 lanes, got 7"),
        ("rewards infinite", "lane 5, step 1: the reward must be finite, got inf"),
        ("rewards short", "lanes 0 to 7, step 0: the rewards must be an array of 8 numbers, got array"),
        ("rewards fewer", r"step 3, rewards\(\): there must be one for each of 3 turns, got 2"),
    ],
)
def test_what_it_gives_and_cannot_be_used_is_its_failure_too(own, failing, why):
    world = opened(own.OwnWorld())
    own.failing.write_text(failing)
    with pytest.raises(WorldFailed, match=why):
        walk(world)


def test_a_failure_that_it_tells_itself_is_told_as_it_is(own, monkeypatch):
    def step(*_):
        raise WorldFailed("lane 3, step 2: the motor broke", hung=True)

    monkeypatch.setattr(own.OwnPlay, "step", step)
    with pytest.raises(WorldFailed, match=r"^lane 3, step 2: the motor broke$") as failed:
        walk(opened(own.OwnWorld()))
    assert failed.value.hung


def raising(self):
    raise ValueError("not yet")


@pytest.mark.parametrize(
    ("member", "value", "why"),
    [
        ("actions", 3, "actions of a World must be a count in 1..65536 for each agent, got 3"),
        ("actions", (), "actions of a World must be a count"),
        ("actions", (2, 0), "actions of a World must be a count"),
        ("actions", (2, 70000), "actions of a World must be a count"),
        ("actions", (2, 2.0), "actions of a World must be a count"),
        ("spaces", None, "spaces of a World must be a Discrete or a Box for each of 2 agents, got None"),
        ("spaces", (), "spaces of a World must be a Discrete or a Box for each of 2 agents"),
        ("spaces", (3, 3), "spaces of a World must be a Discrete or a Box for each of 2 agents"),
        ("gamma", "x", r"gamma of a World must be a number in \[0, 1\], got 'x'"),
        ("gamma", float("nan"), r"gamma of a World must be a number in \[0, 1\], got nan"),
        ("strata", 0, "strata of a World must be an integer of at least 1, got 0"),
        ("model", 3, "model of a World must be a Game, or None, got 3"),
        ("actions", property(raising), "cannot be used: ValueError: not yet"),
        ("model", property(raising), "cannot be used: ValueError: not yet"),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_one_that_does_not_say_what_a_world_says_is_refused(own, monkeypatch, member, value, why, by_name):
    monkeypatch.setattr(own.OwnWorld, member, value)
    playing = Playing(1.0, 8)
    with pytest.raises(InputError, match=why):
        _ = open_world("own_worlds:make", {}, playing) if by_name else opened(own.OwnWorld())


def test_one_that_says_nothing_of_a_model_has_none(own, monkeypatch):
    monkeypatch.delattr(own.OwnWorld, "model")
    assert opened(own.OwnWorld()).model is None


def test_a_function_must_give_a_world_again(own):
    made = [own.OwnWorld()]
    found = open_object(lambda: made.pop() if made else 3, "own", {}, Playing(1.0, 8))
    with pytest.raises(InputError, match="own must give a World, as it did before, got int"):
        found.again()
