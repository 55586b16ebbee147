"""A real agent process among fake peers: whatever order they speak in, its theta is the learner's own.

The peers are sockets of this test (zmq.asyncio); the agent is `python -m bnpg_agents`.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from bnpg_agents.checkpoint import CheckpointFolder
from bnpg_agents.learner import Learner
from bnpg_agents.snapshot import of_table
from bnpg_protocol.wire.codec import encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import (
    ActionsChosen,
    EdgeHello,
    EdgesConfirmed,
    EdgeWelcome,
    Failed,
    Farewell,
    Finish,
    FlowBroadcast,
    Hello,
    Reject,
    Roster,
    SignalApplied,
    SignalBroadcast,
    Start,
    StatesAnnounced,
    TableShown,
)

from bnpg.lab.testing.fakes import welcome
from bnpg_math.arrays.named import digest

ME, STATES, LANES, STEPS = 2, 4, 5, 3
FAMILY = {"parents": (0, 1), "parent_actions": (2, 3), "states": STATES, "actions": 3}
GENERATOR = np.random.default_rng(0)
SEEN = GENERATOR.integers(STATES, size=(STEPS, LANES)).astype("|u1")
PARENTS = [GENERATOR.integers(many, size=(STEPS, LANES)).astype("|u1") for many in (2, 3)]
WEIGHTS = GENERATOR.normal(size=STEPS * LANES)


def expected():
    """Return the learner that saw the same without any process."""
    learner = Learner(welcome(ME, **FAMILY), {})
    own = [learner.act(0, step, 0, SEEN[step], [PARENTS[0][step], PARENTS[1][step]]) for step in range(STEPS)]
    learner.apply_weights(
        0,
        np.concatenate(SEEN),
        [np.concatenate(parent) for parent in PARENTS],
        np.concatenate(own),
        WEIGHTS,
    )
    return learner, own


@pytest.fixture
def family(fake_coordinator, fake_agent, start_agent):
    """Lead a real agent with two fake parents to its Start; return it and the three channels to it."""

    async def meet(start=True):
        process = start_agent(fake_coordinator.endpoint, ME)
        coordinator, hello = await fake_coordinator.admit(ME, **FAMILY)
        coordinator.enter(1)
        await coordinator.send(Roster(((0, 1), (1, 1)), ()))
        parents = []
        for agent in (0, 1):
            channel = await fake_agent(agent).connect(ME, hello.endpoint)
            channel.enter(1)
            await channel.send(EdgeHello())
            await channel.expect(EdgeWelcome)
            parents.append(channel)
        assert await coordinator.expect(EdgesConfirmed) == EdgesConfirmed((0, 1), ())
        if start:
            await coordinator.send(Start(0))
        return process, coordinator, parents

    return meet


async def finish(process, coordinator):
    """Check what the agent did, apply the signal, and let it go."""
    learner, own = expected()
    for step in range(STEPS):
        chosen = await coordinator.expect(ActionsChosen)
        assert (chosen.round, chosen.turn) == (0, step)
        assert np.array_equal(chosen.actions, own[step])
    await coordinator.send(SignalBroadcast(0, WEIGHTS))
    applied = await coordinator.expect(SignalApplied)
    assert (applied.round, applied.digest, applied.table.size) == (0, learner.snapshot(1).digest, 0)
    assert process.thetas[1].tobytes() == learner.snapshot(1).table.tobytes()
    await coordinator.send(Finish("that was all"))
    await coordinator.expect(Farewell)
    assert await process.ended() == ExitCode.DONE, process.log


def actions(parent, step):
    return ActionsChosen(0, step, PARENTS[parent][step])


async def announce(coordinator, *steps):
    for step in steps:
        await coordinator.send(StatesAnnounced(0, step, step, 0, SEEN[step]))


async def test_parents_that_are_early(family):
    process, coordinator, parents = await family()
    for step, parent in itertools.product(range(STEPS), (0, 1)):
        await parents[parent].send(actions(parent, step))
    await announce(coordinator, *range(STEPS))
    await finish(process, coordinator)


async def test_parents_that_speak_before_the_agent_had_its_start(family):
    process, coordinator, parents = await family(start=False)
    for parent in (1, 0):
        await parents[parent].send(actions(parent, 0))
    await coordinator.send(Start(0))
    await announce(coordinator, 0)
    for step, parent in itertools.product((1, 2), (0, 1)):
        await parents[parent].send(actions(parent, step))
    await announce(coordinator, 1, 2)
    await finish(process, coordinator)


async def test_parents_that_are_late_one_after_the_other(family):
    process, coordinator, parents = await family()
    await announce(coordinator, *range(STEPS))
    for parent, step in itertools.product((1, 0), range(STEPS)):
        await parents[parent].send(actions(parent, step))
    await finish(process, coordinator)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_everything_doubled_and_in_any_order(family, seed):
    process, coordinator, parents = await family()
    said = [(channel, channel.number(), actions(parent, step))
            for parent, channel in enumerate(parents) for step in range(STEPS)]  # fmt: skip
    said += [
        (coordinator, coordinator.number(), StatesAnnounced(0, step, step, 0, SEEN[step]))
        for step in range(STEPS)
    ]
    said *= 2
    np.random.default_rng(seed).shuffle(said)
    for channel, seq, message in said:
        await channel.send(message, seq=seq)
    await finish(process, coordinator)


async def test_what_does_not_belong_to_the_run_changes_nothing(family):
    process, coordinator, parents = await family()
    wrong = ActionsChosen(0, 0, 1 - PARENTS[0][0])
    first = parents[0]
    await first.send(wrong, seq=2, run="another run")
    await first.send(wrong, seq=2, epoch=0)
    await first.send(wrong, seq=2, incarnation=7)
    await first.send(wrong, seq=2, sender=5)
    await first.send(ActionsChosen(0, 0, PARENTS[0][0] + 2), seq=2)
    frames = encode(Envelope(first.run, 1, 1, 0, 1, 2, 0, 0, wrong))
    await first.send_frames([bytes(frames[0])[:-1] + b"\7"])
    await first.send_frames([b"nonsense"])
    await first.send_frames([b""])
    for step, parent in itertools.product(range(STEPS), (0, 1)):
        await parents[parent].send(actions(parent, step))
    await announce(coordinator, *range(STEPS))
    await finish(process, coordinator)


async def test_a_parent_that_says_two_different_things_is_named(family):
    process, coordinator, parents = await family()
    await parents[1].send(actions(1, 0))
    await parents[1].send(ActionsChosen(0, 0, 2 - PARENTS[1][0]))
    failed = await coordinator.expect(Failed)
    assert failed.code == ExitCode.PROTOCOL
    assert "agent 1 says two different things for the actions of round 0, turn 0" in failed.why
    await coordinator.send(Finish(failed.why))
    await coordinator.find(Farewell)
    assert await process.ended() == ExitCode.PROTOCOL


async def test_data_before_the_start_ends_the_agent(family):
    process, coordinator, _ = await family(start=False)
    await announce(coordinator, 0)
    failed = await coordinator.expect(Failed)
    assert "agent 2 is ready and got StatesAnnounced from coordinator" in failed.why
    await coordinator.send(Finish(failed.why))
    assert await process.ended() == ExitCode.PROTOCOL


async def test_a_rejected_agent_says_what_was_expected_and_ends(fake_coordinator, start_agent):
    process = start_agent(fake_coordinator.endpoint, ME)
    channel = await fake_coordinator.channel(ME)
    await channel.send(Reject("experiment", "this one", "that one"))
    assert await process.ended() == ExitCode.REJECTED
    assert "rejected (experiment): expected this one, got that one" in process.log
    assert not Path(process.endpoint.removeprefix("ipc://")).exists(), "it leaves no socket behind"


async def test_actions_go_straight_to_the_children(fake_coordinator, fake_agent, start_agent):
    child = fake_agent(1)
    process = start_agent(fake_coordinator.endpoint, 0)
    coordinator, _ = await fake_coordinator.admit(0, children=(1,), states=STATES)
    coordinator.enter(1)
    await coordinator.send(Roster((), ((1, 1, child.endpoint),)))
    edge = await child.become_child(0)
    await coordinator.expect(EdgesConfirmed)
    await coordinator.send(Start(0))
    await announce(coordinator, 0)
    to_child, to_coordinator = await edge.expect(ActionsChosen), await coordinator.expect(ActionsChosen)
    learner = Learner(welcome(0, children=(1,), states=STATES), {})
    assert np.array_equal(to_child.actions, learner.act(0, 0, 0, SEEN[0], []))
    assert np.array_equal(to_child.actions, to_coordinator.actions)
    await coordinator.send(Finish("enough"))
    assert await process.ended() == ExitCode.DONE


async def test_a_child_that_comes_back_to_its_endpoint_is_reached_over_one_connection(
    fake_coordinator, fake_agent, start_agent
):
    child = fake_agent(1)
    start_agent(fake_coordinator.endpoint, 0)
    coordinator, _ = await fake_coordinator.admit(0, children=(1,), states=STATES)
    for life in range(1, 8):
        # As after a kill: the same place, another process. Of two connections from one peer ZeroMQ keeps one.
        coordinator.enter(life)
        await coordinator.send(Roster((), ((1, life, child.endpoint),)))
        child.incarnation = life
        edge = await child.channel(0)
        edge.incarnation = life
        edge.enter(life)
        await edge.find(EdgeHello)
        await edge.send(EdgeWelcome())
        assert await coordinator.expect(EdgesConfirmed) == EdgesConfirmed((), (1,))


async def test_the_exact_mode_shows_tables_and_applies_its_share_of_the_flow(fake_coordinator, start_agent):
    fields = {"mode": "exact", "states": 3}
    process = start_agent(fake_coordinator.endpoint, 0)
    coordinator, _ = await fake_coordinator.admit(0, **fields)
    await fake_coordinator.start(coordinator, Roster((), ()))
    learner = Learner(welcome(0, **fields), {})
    shown = await coordinator.expect(TableShown)
    assert np.array_equal(shown.table, learner.table(0))
    flow = np.random.default_rng(4).normal(size=(3, 2, 5))
    await coordinator.send(FlowBroadcast(0, flow))
    learner.apply_flow(FlowBroadcast(0, flow))
    applied = await coordinator.expect(SignalApplied)
    assert applied.digest == learner.snapshot(1).digest
    assert np.array_equal(applied.table, learner.table(1))
    await coordinator.send(Finish("enough"))
    assert await process.ended() == ExitCode.DONE


async def test_an_agent_that_is_started_again_says_what_it_holds(fake_coordinator, start_agent, tmp_path):
    state = tmp_path / "state"
    first = start_agent(fake_coordinator.endpoint, 0, state)
    coordinator, hello = await fake_coordinator.admit(0, states=STATES)
    assert (hello.held, hello.experiment) == ((), "")
    await fake_coordinator.start(coordinator, Roster((), ()))
    await announce(coordinator, 0)
    await coordinator.expect(ActionsChosen)
    await coordinator.send(SignalBroadcast(0, WEIGHTS[:LANES]))
    applied = await coordinator.expect(SignalApplied)
    first.popen.kill()
    first.popen.wait()

    del fake_coordinator.channels[0]
    second = start_agent(fake_coordinator.endpoint, 0, state)
    coordinator, hello = await fake_coordinator.admit(0, states=STATES)
    assert (hello.held, hello.experiment) == ((0, 1), "experiment-digest")
    # The first life's last words may have been under way still.
    hellos = [envelope for envelope in coordinator.arrivals if isinstance(envelope.message, Hello)]
    assert {envelope.incarnation for envelope in hellos} == {2}
    await fake_coordinator.start(coordinator, Roster((), ()), epoch=2)
    await announce(coordinator, 0)
    await coordinator.expect(ActionsChosen)
    await coordinator.send(SignalBroadcast(0, WEIGHTS[:LANES]))
    again = await coordinator.expect(SignalApplied)
    assert (again.round, again.digest) == (0, applied.digest), "the update is not applied twice"
    assert digest({"theta": second.thetas[1]}) == applied.digest
    await coordinator.send(Finish("enough"))
    assert await second.ended() == ExitCode.DONE


async def test_thetas_without_an_identity_end_an_agent(fake_coordinator, start_agent, tmp_path):
    state = tmp_path / "state"
    CheckpointFolder(state).write(4, of_table(np.zeros((STATES, 2))))
    process = start_agent(fake_coordinator.endpoint, 0, state)
    assert await process.ended() == ExitCode.STORAGE
    [line] = process.log.splitlines()
    assert "holds thetas, but no agent.json" in line


async def test_a_folder_of_another_agent_is_refused(fake_coordinator, start_agent, tmp_path):
    CheckpointFolder(tmp_path / "state").adopt(1, "digest")
    process = start_agent(fake_coordinator.endpoint, 0, tmp_path / "state")
    assert await process.ended() == ExitCode.USAGE
    assert "belongs to agent 1, not to agent 0" in process.log


async def test_thetas_of_a_host_that_rounds_differently_are_refused_before_they_are_touched(
    fake_coordinator, start_agent, tmp_path
):
    state = tmp_path / "state"
    CheckpointFolder(state).adopt(0, "digest")
    content = json.loads((state / "agent.json").read_text())
    (state / "agent.json").write_text(json.dumps(content | {"numerics": "0123456789abcdef"}))
    process = start_agent(fake_coordinator.endpoint, 0, state)
    assert await process.ended() == ExitCode.REJECTED
    [line] = process.log.splitlines()
    assert f"rounds differently: expected {content['numerics']} as here, got 0123456789abcdef" in line
    left = [file.name for file in state.iterdir() if not file.name.startswith(".fence-")]  # the writer's own
    assert left == ["agent.json"]
