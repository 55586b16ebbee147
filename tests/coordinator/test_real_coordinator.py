"""A real coordinator process among fake agents: whatever order they answer in, the record is the same.

The agents are sockets of this test (zmq.asyncio); the coordinator is `python -m bnpg_coordinator`.
"""

import json

import numpy as np
import pytest
from bnpg_agents.learner import Learner
from bnpg_coordinator.run_record import read_lines
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import (
    ActionsChosen,
    Farewell,
    Finish,
    Reject,
    Roster,
    SignalApplied,
    SignalBroadcast,
    Start,
    StatesAnnounced,
    Welcome,
)

CASE = {
    "game": "coordination(agents=3)",
    "dag": "2-0,0-1",
    "rounds": 2,
    "lanes": 4,
    "horizon": 2,
    "evaluate_every": 0,
    "initial": "normal",
    "seed": 3,
}
PARENTS = {0: (2,), 1: (0,), 2: ()}
CHILDREN = {0: (1,), 1: (), 2: (0,)}
ORDER = (2, 0, 1)
AGENTS = (0, 1, 2)


@pytest.fixture
def team(fake_agent, start_coordinator):
    """Let three fake agents join a real coordinator; return it, their channels and their Welcomes."""

    async def join(order=AGENTS):
        process = start_coordinator(**CASE)
        fakes = {agent: fake_agent(agent, run="") for agent in AGENTS}
        channels = {agent: await fakes[agent].join(process.endpoint) for agent in order}
        for agent in order:
            await fakes[agent].confirm(channels[agent], PARENTS[agent], CHILDREN[agent])
        for agent in order:
            assert await channels[agent].expect(Start) == Start(0)
        return process, channels, {agent: fakes[agent].welcome for agent in AGENTS}

    return join


async def answer(process, channels, welcomes, seed):
    """Answer as three learners would, in an order of our own and everything twice; return their thetas."""
    random = np.random.default_rng(seed)
    learners = {agent: Learner(welcomes[agent], {}) for agent in AGENTS}
    for round_ in range(CASE["rounds"]):
        states, chosen = [], {agent: [] for agent in AGENTS}
        for step in range(CASE["horizon"]):
            announced = [
                await channels[agent].expect(StatesAnnounced) for agent in random.permutation(AGENTS)
            ]
            assert {(one.round, one.turn) for one in announced} == {(round_, step)}
            states.append(announced[0].states)
            for agent in ORDER:
                parents = [chosen[parent][step] for parent in PARENTS[agent]]
                chosen[agent].append(learners[agent].act(round_, step, 0, states[step], parents))
            for agent in random.permutation(AGENTS):
                message = ActionsChosen(round_, step, chosen[agent][step])
                sent = await channels[agent].send(message)
                await channels[agent].send(message, seq=sent.seq)
                await channels[agent].send(message)
        for agent in random.permutation(AGENTS):
            signal = await channels[agent].expect(SignalBroadcast)
            learners[agent].apply_weights(
                round_,
                np.concatenate(states),
                [np.concatenate(chosen[parent]) for parent in PARENTS[agent]],
                np.concatenate(chosen[agent]),
                signal.weights,
            )
        for agent in random.permutation(AGENTS):
            await channels[agent].send(SignalApplied(round_, learners[agent].snapshot(round_ + 1).digest))
    for agent in AGENTS:
        await channels[agent].expect(Finish)
        await channels[agent].send(Farewell())
    assert await process.ended() == ExitCode.DONE, process.log
    return [learners[agent].snapshot(CASE["rounds"]).table for agent in AGENTS]


def lines(process):
    return [line.untimed for line in read_lines(process.folder / "metrics.jsonl")]


@pytest.mark.parametrize("seed", [0, 1, 2])
async def test_answers_in_any_order_and_doubled_give_the_record_of_memory(seed, team, play):
    process, channels, welcomes = await team(np.random.default_rng(seed).permutation(AGENTS).tolist())
    thetas = await answer(process, channels, welcomes, seed)
    expected = play(**CASE)
    assert lines(process) == expected.lines
    assert [theta.tobytes() for theta in thetas] == [theta.tobytes() for theta in expected.thetas]


async def test_an_answer_for_a_step_that_is_not_there_yet_ends_the_run_and_names_the_agent(team):
    process, channels, _ = await team()
    await channels[1].send(ActionsChosen(0, 1, np.zeros(4, dtype="|u1")))
    for agent in AGENTS:
        finish = await channels[agent].find(Finish)
        assert "agent 1 acts at round 0, turn 1; awaited: the actions of round 0, turn 0" in finish.reason
        await channels[agent].send(Farewell())
    assert await process.ended() == ExitCode.PROTOCOL


async def test_garbage_and_strangers_change_nothing(team, fake_agent, play):
    process, channels, welcomes = await team()
    stranger = await fake_agent(7).connect(-1, process.endpoint)
    wrong = ActionsChosen(0, 0, np.ones(4, dtype="|u1"))
    await stranger.send_frames([b"nonsense"])
    await stranger.send_frames([b"", b""])
    await stranger.send(wrong)
    await stranger.send(wrong, sender=0, run=channels[0].run, epoch=1, seq=2)
    await channels[0].send(wrong, run="another run", seq=2)
    await channels[0].send(wrong, epoch=0, seq=2)
    await channels[0].send(ActionsChosen(0, 0, np.full(4, 2, dtype="|u1")), seq=2)
    await answer(process, channels, welcomes, 0)
    assert lines(process) == play(**CASE).lines


async def test_who_cannot_take_part_is_told_why(fake_agent, start_coordinator):
    process = start_coordinator(**CASE)
    fake = fake_agent(0)
    channel = await fake.join(process.endpoint, versions=(9,))
    reject = await channel.expect(Reject)
    assert (reject.code, reject.expected, reject.got) == ("version", "protocol version 2", "9")
    for fields, code in [
        ({"experiment": "another"}, "experiment"),
        ({"numerics": "another"}, "numerics"),
        ({"agent": 3}, "agent"),
    ]:
        await fake.greet(channel, **fields)
        assert (await channel.expect(Reject)).code == code
    await fake.greet(channel)
    assert (await channel.expect(Welcome)).agent == 0


async def test_an_agent_that_returns_is_taken_in_and_its_old_life_is_fenced(team, fake_agent):
    process, channels, _ = await team()
    again = fake_agent(1, incarnation=2, run="")
    channel = await again.join(process.endpoint)
    channels[0].enter(2)
    roster = await channels[0].find(Roster)
    assert roster.children[0][:2] == (1, 2)
    await channels[1].send(ActionsChosen(0, 0, np.zeros(4, dtype="|u1")), epoch=1)
    assert (await channels[1].find(Reject)).code == "incarnation"
    assert (await channel.expect(Welcome)).agent == 1
    assert process.popen.poll() is None


async def test_unassigned_agents_get_different_ids(fake_agent, start_coordinator):
    process = start_coordinator(**CASE)
    ids = []
    for _ in AGENTS:
        channel = await fake_agent(-2).join(process.endpoint)
        ids.append((await channel.expect(Welcome)).agent)
    assert sorted(ids) == [0, 1, 2]
    late = await fake_agent(-2).join(process.endpoint)
    assert (await late.expect(Reject)).code == "full"


async def test_agents_that_wait_for_the_others_are_told_when_it_ends(fake_agent, start_coordinator):
    process = start_coordinator(**CASE)
    channel = await fake_agent(0).join(process.endpoint)
    await channel.expect(Welcome)
    process.popen.terminate()
    assert await channel.find(Reject) == Reject("ended", "interrupted", "a Hello")
    assert await process.ended() == ExitCode.INTERRUPTED


async def test_after_the_end_the_status_says_who_has_left(team):
    process, channels, _ = await team()
    process.popen.terminate()
    for agent in AGENTS[:-1]:
        assert (await channels[agent].find(Finish)).code == ExitCode.INTERRUPTED
        await channels[agent].send(Farewell())
    assert await process.ended() == ExitCode.INTERRUPTED
    status = json.loads((process.folder / "status.json").read_text())
    assert status["phase"] == "ended"
    phases = {agent: told["phase"] for agent, told in status["agents"].items()}
    assert phases == {"0": "left", "1": "left", "2": "silent"}
