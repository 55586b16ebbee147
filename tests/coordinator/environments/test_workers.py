"""Environments stepped by processes: the same bits for any number of them, and one line if one is lost."""

import importlib
import itertools
import os
import signal
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")

from bnpg_coordinator.environments.opening import Playing, open_world
from bnpg_coordinator.environments.probe import keyed_actions
from bnpg_coordinator.environments.worker import Take
from bnpg_coordinator.environments.workers import Worker, close_world, over_workers
from bnpg_coordinator.experiment import experiment_from
from bnpg_coordinator.worlds.indexed import indexed
from bnpg_coordinator.worlds.interface import WorldFailed, arrays_of
from bnpg_protocol.process.awake import Awake

from bnpg_math.errors import InputError

HERE = Path(__file__).parent
sys.path.append(str(HERE))
importlib.import_module("strange")


def opened(text, workers, patience=60.0):
    network = {"policy": "mlp:4", "update": "a2c"} if "Stated" in text else {}
    experiment = experiment_from({"game": text, "steps": 20, "lanes": 16, **network})
    playing = Playing(
        gamma=0.9, steps=20, patience=patience / 2, folder=HERE, with_state=experiment.has_critic
    )
    world = open_world(text, {}, playing).world
    return over_workers(world, workers, experiment, patience, HERE)


def everything(world, lanes, width, rounds=2, steps=20):
    """Play rounds in turns of `width` lanes, as the coordinator does; return all that came of it."""
    found = []
    for round_ in range(rounds):
        play = world.begin(3, round_, lanes)
        seen = {lane: play.first.part(lane, min(lane + width, lanes)) for lane in range(0, lanes, width)}
        for time in range(steps):
            for lane, now in seen.items():
                found += arrays_of(now, world.actions)
                actions = keyed_actions(world.actions, now, 1, time, lane)
                then = play.step(time, lane, now, actions, len(now) if time + 1 < steps else 0)
                if then is not None:
                    seen[lane] = then
        found += [*play.rewards(), *play.strata(), *play.ends()]
        following = [seen for seen in play.following() if seen is not None]
        found += [one for seen in following for one in seen.of]
        found += [seen.state for seen in following if seen.state is not None]
    return found


@pytest.mark.parametrize(
    ("text", "lanes", "width", "counts"),
    [
        ("strange:Meeting", 24, 16, (1, 2, 5)),
        ("strange:Meeting", 20, 8, (3,)),
        ("strange:Pair", 6, 6, (2,)),
        ("strange:Stated", 12, 12, (2,)),
    ],
)
def test_any_number_of_workers_plays_the_same_bits(text, lanes, width, counts):
    alone = everything(opened(text, 0), lanes, width)
    for workers in counts:
        world = opened(text, workers)
        try:
            together = everything(world, lanes, width)
            assert len(world.workers) <= workers
        finally:
            close_world(world)
        assert len(together) == len(alone)
        for one, other in zip(alone, together, strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


def test_states_of_a_table_are_read_from_what_workers_see():
    world = over_workers(
        indexed(opened("strange:Meeting", 0)), 2, experiment_from({"game": "strange:Meeting"}), 60.0, HERE
    )
    try:
        expected = indexed(opened("strange:Meeting", 0)).begin(0, 0, 8).first.by(0)
        assert np.array_equal(world.begin(0, 0, 8).first.by(0), expected)
    finally:
        close_world(world)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("Raises", "lane 0, step 3, all agents: the environment raised RuntimeError: the motor broke"),
        ("Exits", r"lane 0, step 3, all agents: the environment raised SystemExit: os._exit\(0\)"),
        ("PaysNothingFinite", "lane 0, step 1, agent b: the reward must be finite, got inf"),
        ("SeesWrong", r"lane 0, step 2, agent a: the observation must hold what its space allows, got \[7"),
    ],
)
def test_what_goes_wrong_is_said_as_if_one_process_played(kind, why):
    world = opened(f"strange:{kind}", 3)
    with pytest.raises(WorldFailed, match=why):
        everything(world, 16, 16)
    assert world.workers == [], "nobody is left"


def test_what_hangs_is_given_up_by_the_worker_itself():
    world = opened("strange:Hangs", 2, patience=2.0)
    with pytest.raises(WorldFailed, match="lane 0, step 3, all agents: the environment hangs") as failed:
        everything(world, 8, 8)
    assert failed.value.hung


def test_a_worker_that_is_killed_is_named_with_its_lanes_and_the_step():
    world = opened("strange:Meeting", 2)
    play = world.begin(3, 0, 16)
    victim = world.workers[1]
    os.kill(victim.pid, signal.SIGKILL)
    seen = play.first
    actions = keyed_actions(world.actions, seen, 1, 0, 0)
    why = "lanes 8 to 15, step 0, all agents: environment worker 1 died: killed by signal 9"
    with pytest.raises(WorldFailed, match=why) as failed:
        play.step(0, 0, seen, actions, 16)
    assert not failed.value.hung
    assert world.workers == []


def test_a_worker_that_is_killed_is_missed_though_a_child_of_its_environment_holds_its_pipe():
    world = opened("strange:HasAChild", 1)
    seen = world.begin(3, 0, 1).first
    (worker,) = world.workers
    worker.send(Take(0, 0, 1, keyed_actions(world.actions, seen, 1, 0, 0), 1))
    worker.answer(0, Awake(), 60.0)
    (child,) = psutil.Process(worker.pid).children()
    os.kill(worker.pid, signal.SIGKILL)
    try:
        with pytest.raises(WorldFailed, match="environment worker 0 died: killed by signal 9"):
            worker.answer(1, Awake(), 60.0)
    finally:
        child.kill()
        worker.end()


def test_a_worker_that_dies_before_it_plays_has_no_lanes():
    worker = Worker(1, opened("strange:Meeting", 2)._opening)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(
        WorldFailed, match=r"^step 0, all agents: environment worker 1 died: killed by signal 9"
    ):
        worker.answer(0, Awake(), 60.0)
    worker.end()


def test_a_worker_that_was_stopped_like_everybody_is_not_given_up():
    worker = Worker(0, opened("strange:Meeting", 2)._opening)
    hours = itertools.count(0.0, 3600.0)  # between any two looks
    try:
        worker.answer(0, Awake(lambda: next(hours)), 600.0)
    finally:
        worker.end()


def test_a_worker_that_is_stopped_is_given_up(monkeypatch):
    world = opened("strange:Meeting", 2)
    play = world.begin(3, 0, 16)
    monkeypatch.setattr("bnpg_coordinator.environments.workers.GRACE", 0.1)
    world.patience = 0.1
    os.kill(world.workers[0].pid, signal.SIGSTOP)
    actions = keyed_actions(world.actions, play.first, 1, 0, 0)
    with pytest.raises(
        WorldFailed, match="lanes 0 to 7, step 0, all agents: the environment hangs"
    ) as failed:
        play.step(0, 0, play.first, actions, 16)
    assert failed.value.hung


def test_workers_end_with_whoever_started_them():
    world = opened("strange:Meeting", 2)
    world.begin(3, 0, 8)
    processes = [psutil.Process(one.pid) for one in world.workers]
    assert len(processes) == 2
    for one in world.workers:
        one._pipe.close()  # as the end of the coordinator's process does
    assert all(process.wait(timeout=60) in (0, None) for process in processes)
    close_world(world)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("relay", "relay is none, and all its lanes are stepped at once"),
        ("object:Meeting", "need an environment that other processes find: name it module:function"),
    ],
)
def test_what_workers_cannot_step_is_refused(text, why):
    name = "strange:Meeting" if ":" in text else text
    world = open_world(name, {}, Playing(gamma=0.9, steps=20, folder=HERE)).world
    with pytest.raises(InputError, match=why):
        over_workers(world, 2, experiment_from({"game": text}), 60.0, HERE)
