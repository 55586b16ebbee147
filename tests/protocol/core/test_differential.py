"""The compiled core and the Python machine: whatever arrives, in any order, they are the same after it."""

import random
from zlib import crc32

import numpy as np
import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_protocol import core
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.errors import MalformedMessage
from bnpg_protocol.wire.messages import ActionsAttested, ActionsChosen, ActionsRelayed, StatesAnnounced
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from bnpg.lab.testing import lockstep
from bnpg.lab.testing.in_memory import setup_of
from bnpg.lab.testing.lockstep import Lockstep, Message
from bnpg.lab.testing.messages import envelopes, messages
from bnpg_math.games.game import dense_game
from bnpg_math.policies.joint import policy_digest

RELAY = (ActionsRelayed, ActionsAttested)
STEP = (StatesAnnounced, ActionsChosen, *RELAY)

pytestmark = pytest.mark.skipif(core.name() == core.PYTHON, reason="the core is not compiled here")

experiments = st.builds(
    Experiment,
    game=st.sampled_from(["coordination(agents=3)", "climbing3", "random(agents=3, states=3)"]),
    dag=st.sampled_from(["line", "complete", "empty", "2-0,0-1", "2-1,0-1"]),
    rounds=st.integers(1, 2),
    lanes=st.sampled_from([1, 3, 8, 20]),
    parts=st.integers(1, 2),
    horizon=st.sampled_from([3, 6]),
    initial=st.sampled_from(["zeros", "normal"]),
    learning_rate=st.just(0.5),
    evaluate_every=st.just(0),
    seed=st.integers(0, 1000),
)


def thetas(team):
    return policy_digest([held[max(held)].flat for _, held in sorted(team.thetas.items())])


@given(experiments, st.booleans())
@settings(max_examples=6, deadline=None)
def test_a_run_in_its_order_is_the_same_and_most_of_it_is_done_by_the_core(experiment, relay):
    both = Lockstep(experiment, relay=relay)
    both.finish()
    assert thetas(both.compiled) == thetas(both.python)
    assert both.compiled.handled > 0
    assert both.python.handled == 0


@pytest.mark.parametrize("relay", [False, True])
def test_a_step_of_a_running_round_is_left_to_python_at_its_ends_only(relay):
    """Nine of ten messages and more, so that what is measured is the core."""
    game, steps = "coordination(agents=5)", 25
    both = Lockstep(
        Experiment(game=game, dag="line", rounds=1, lanes=1, horizon=steps, learning_rate=0.1), relay=relay
    )
    both.finish()
    messages = steps * (5 + 4 + 5)
    assert both.compiled.handled > 0.9 * messages


@given(
    experiments,
    st.booleans(),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0.0, 0.02, 0.1]),
)
@settings(max_examples=8, deadline=None)
def test_loss_doubles_disorder_time_and_deaths_are_the_same(experiment, relay, seed, out_of_order, trouble):
    dice, both = random.Random(seed), Lockstep(experiment, relay=relay)
    for _ in range(200):
        if both.over:
            break
        if not both.pending or dice.random() < 0.05:
            both.look(dice.choice([0.001, 0.06, 0.3]))
            continue
        message = both.take(dice, out_of_order)
        fate = dice.random()
        if fate < trouble:
            continue
        if fate < 2 * trouble:
            both.arrive(message)
        elif fate < 2.1 * trouble:
            both.begin_again(dice.randrange(3))
        both.arrive(message)
    both.finish()
    assert thetas(both.compiled) == thetas(both.python)


def running(both):
    return both.python.loops["agent-0"]._machine.phase == "running"


def flipped(frame: bytes, dice: random.Random) -> bytes:
    """Return a frame with some bytes changed, and the checksum that belongs to them."""
    changed = bytearray(frame)
    for _ in range(dice.randint(1, 3)):
        changed[dice.randrange(4, len(changed))] = dice.choice([0, 1, 2, 0x7F, 0x80, 0xCC, 0xCD, 0xFF])
    return crc32(changed[4:]).to_bytes(4, "little") + bytes(changed[4:])


def mutated(message: Message, dice: random.Random) -> Message:
    """Return something that a peer, or whoever pretends to be one, could send instead of a message."""
    frames, origin = list(message.frames), message.origin
    way = dice.randrange(7)
    if way == 0:
        frames[0] = flipped(frames[0], dice)
    elif way == 1:
        at = dice.randrange(len(frames[0]))
        frames[0] = frames[0][:at] + bytes([frames[0][at] ^ 1 << dice.randrange(8)]) + frames[0][at + 1 :]
    elif way == 2:
        origin = dice.choice(["coordinator", "agent-0#1", "agent-1#1", "child-1", "child-2", "agent-9#1"])
    elif way == 3:
        frames = dice.choice([[], [*frames, b""], [frames[0][: dice.randrange(len(frames[0]))]]])
    elif way == 4:
        frames = [memoryview(frames[0]), *frames[1:]]
    else:
        envelope = decode(frames)
        if way == 5:
            field = dice.choice(["epoch", "seq", "ack", "lamport", "incarnation", "sender", "generation"])
            changed = max(0, getattr(envelope, field) + dice.choice([-1, 1, 2, 5000, 2**31]))
            envelope = structs.replace(envelope, **{field: changed})
        elif isinstance(envelope.message, STEP):
            said = envelope.message
            array = "states" if isinstance(said, StatesAnnounced) else "actions"
            value = getattr(said, array)
            instead = dice.choice(
                [
                    {"round": said.round + 1}, {"round": max(0, said.round - 1)},
                    {"turn": said.turn + 1}, {"turn": max(0, said.turn - 1)},
                    {array: value.astype("<u2")}, {array: value[:-1]}, {array: value + 200},
                    {array: value[::-1].copy()}, {array: 1 - value % 2}, {array: value[..., :-1]},
                ]
            )  # fmt: skip
            if isinstance(said, ActionsAttested) and dice.random() < 0.5:
                digests = said.digests
                instead = {
                    "digests": dice.choice([digests[:-1], digests[16:], digests + 1, np.tile(digests, 2)])
                }
            envelope = structs.replace(envelope, message=structs.replace(said, **instead))
        frames = [bytes(frame) for frame in encode(envelope)]
    return Message(message.to, origin, frames)


@given(experiments, st.booleans(), st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.4]))
@settings(max_examples=12, deadline=None)
def test_what_is_mutated_on_the_way_is_refused_or_taken_alike(experiment, relay, seed, rate):
    dice, both = random.Random(seed), Lockstep(experiment, relay=relay)
    for message in both.coming(200, dice):
        if dice.random() < rate:
            both.arrive(mutated(message, dice))
        both.arrive(message)


def test_actions_that_do_not_exist_are_refused_whether_or_not_they_complete_a_turn():
    """Every action has a wrong one before it; the first of agent 0 is at agent 2 before that of agent 1."""
    both = Lockstep(
        Experiment(game="coordination(agents=3)", dag="complete", lanes=2, horizon=8, learning_rate=0.1)
    )
    refused = 0
    for message in both.coming():
        envelope = decode(message.frames)
        if isinstance(envelope.message, ActionsChosen):
            wrong = structs.replace(envelope.message, actions=envelope.message.actions + 200)
            frames = [bytes(frame) for frame in encode(structs.replace(envelope, message=wrong))]
            both.arrive(Message(message.to, message.origin, frames))
            refused += 1
        both.arrive(message)
        if refused == 40:
            break
    assert sum(loop._machine.links.refused.total() for loop in both.compiled.loops.values()) >= refused == 40


def said_otherwise(message: Message, said: object) -> Message:
    """Return a message that says something else."""
    envelope = structs.replace(decode(message.frames), message=said)
    return Message(message.to, message.origin, [bytes(frame) for frame in encode(envelope)])


@pytest.mark.parametrize(
    ("game", "dag", "lanes"),
    [
        ("random(agents=4, states=3, actions=3)", "complete", 2),
        ("random(agents=5, states=3)", "3-0,0-4,3-4,1-4,2-4", 3),  # of several links, and not in order
        ("random(agents=2, states=1, actions=300, branching=1)", "0-1", 2),  # two bytes an action
        ("stag_hunt", "0-1", 5),
    ],
)
def test_rows_that_cannot_be_are_refused_and_others_taken(game, dag, lanes):
    """Now and then a message has one before it with an action that does not exist, or with too many rows."""
    dice = random.Random(lanes)
    both = Lockstep(
        Experiment(
            game=game, dag=dag, lanes=lanes, horizon=8, initial="normal", learning_rate=0.1, evaluate_every=0
        ),
        relay=True,
    )
    refused = taken = 0
    for message in both.coming(dice=dice):
        said = decode(message.frames).message
        if isinstance(said, RELAY):
            taken += 1
            if dice.random() < (0.3 if isinstance(said, ActionsRelayed) else 0.05):
                rows = said.actions
                wrong = [np.full_like(rows, 300 if rows.itemsize == 2 else 255)]
                wrong += [np.concatenate([rows, rows])] if rows.ndim == 2 else []
                both.arrive(said_otherwise(message, structs.replace(said, actions=dice.choice(wrong))))
                refused += 1
        both.arrive(message)
        if taken == 80:
            break
    assert sum(loop._machine.links.refused.total() for loop in both.compiled.loops.values()) >= refused > 0
    assert both.compiled.handled > taken / 2
    assert taken == 80


@pytest.mark.parametrize("relay", [False, True])
def test_what_takes_a_frame_of_its_own_is_left_to_the_codec(relay):
    """States of a byte come in one frame, 300 actions take two bytes and go out in two frames."""
    game = "random(states=1, agents=2, actions=300, branching=1)"
    experiment = Experiment(
        game=game, dag="0-1", rounds=1, lanes=33_000, horizon=2, learning_rate=0.1, evaluate_every=0
    )
    both = Lockstep(experiment, relay=relay)
    long = 0
    for message in both.coming():
        long += len(message.frames) == 2
        both.arrive(message)
    assert long > 2


def test_rows_change_their_type_where_links_carry_other_agents(monkeypatch):
    """Agent 0 has 300 actions: 2 hears of it in two bytes, and hands 3, which does not, rows of one byte."""
    actions = (300, 2, 2, 2)
    game = dense_game("wide", np.ones((1, *actions, 1)), np.zeros((1, *actions)), np.ones(1), 0.9)
    experiment = Experiment(
        game="random(states=1, agents=4, branching=1)",
        dag="0-1,0-2,1-2,1-3,2-3",
        rounds=2,
        lanes=3,
        horizon=4,
        initial="normal",
        learning_rate=0.1,
        evaluate_every=0,
    )
    made = structs.replace(setup_of(experiment, patience=1e6), world=TableWorld(game))
    monkeypatch.setattr(lockstep, "setup_of", lambda *_, **__: made)
    both = Lockstep(experiment, relay=True)
    types = set()
    for message in both.coming():
        said = decode(message.frames).message
        if isinstance(said, ActionsRelayed):
            types.add((message.to.partition("#")[0], said.actions.dtype.str, len(said.actions)))
        both.arrive(message)
    assert types == {("agent-1", "<u2", 1), ("agent-2", "<u2", 2), ("agent-3", "|u1", 2)}
    assert both.python.stops["coordinator"].why == "all rounds are done"
    assert both.compiled.handled > 2 * 4 * 4


@pytest.mark.parametrize(
    ("kind", "instead", "why"),
    [
        (ActionsAttested, lambda said: ActionsChosen(said.round, said.turn, said.actions), "ActionsChosen"),
        (ActionsAttested, lambda said: structs.replace(said, digests=said.digests[:-1]), "15 bytes"),
        (ActionsAttested, lambda said: structs.replace(said, digests=said.digests ^ 1), "lies"),
        (ActionsAttested, lambda said: structs.replace(said, actions=said.actions[:-1]), "1 actions for 2"),
        (ActionsRelayed, lambda said: structs.replace(said, actions=said.actions[:, :-1]), "1 lanes for 2"),
        (ActionsRelayed, lambda said: structs.replace(said, actions=(said.actions + 1) % 2), "lies"),
        (ActionsRelayed, lambda said: ActionsChosen(said.round, said.turn, said.actions[0]), "ActionsChosen"),
        (ActionsChosen, lambda said: ActionsRelayed(said.round, said.turn, said.actions[None]), "no place"),
        (
            ActionsChosen,
            lambda said: ActionsAttested(said.round, said.turn, said.actions, np.zeros(16, dtype=np.uint8)),
            "without a relay",
        ),
    ],
)
def test_a_lie_about_what_is_relayed_ends_the_run_in_the_same_words(kind, instead, why):
    """On the way to the child or to the coordinator. What only digests show is a lie of the last turn."""
    turn = 2 if why == "lies" else 0
    to = "agent-1" if kind is ActionsRelayed else "coordinator"
    both = Lockstep(
        Experiment(game="climbing", dag="0-1", rounds=1, lanes=2, horizon=3, learning_rate=0.1),
        relay=kind is not ActionsChosen,
    )
    for message in both.coming(500):
        said = decode(message.frames).message
        if isinstance(said, kind) and said.turn == turn and message.to.partition("#")[0] == to:
            both.arrive(said_otherwise(message, instead(said)))
        else:
            both.arrive(message)
    assert why in both.python.stops["coordinator"].why
    assert both.compiled.handled > 0


@pytest.mark.parametrize(("field", "change"), [("seq", 1), ("incarnation", 1)])
def test_a_message_behind_a_gap_or_of_another_life_is_not_taken_though_its_turn_is_next(field, change):
    """Once a link: whoever was refused before is left to the machine altogether."""
    both = Lockstep(
        Experiment(game="coordination(agents=3)", dag="complete", lanes=2, horizon=8, learning_rate=0.1)
    )
    links = set()
    for message in both.coming():
        envelope = decode(message.frames)
        step = isinstance(envelope.message, ActionsChosen | StatesAnnounced)
        if step and envelope.message.turn > 0 and (message.to, message.origin) not in links:
            changed = structs.replace(envelope, **{field: getattr(envelope, field) + change})
            frames = [bytes(frame) for frame in encode(changed)]
            both.arrive(Message(message.to, message.origin, frames))
            links.add((message.to, message.origin))
        both.arrive(message)
        if len(links) == 9:
            break
    assert len(links) == 9, "three agents hear the coordinator, it hears them, and three edges"


def test_messages_too_many_for_a_window_are_left_to_the_machine_which_says_so():
    """An agent whose child acknowledges nothing stops, in both, with the same words."""
    both = Lockstep(Experiment(game="climbing", dag="0-1", rounds=1, lanes=1, horizon=30, learning_rate=0.1))
    for message in both.coming(2000):
        for team in (both.compiled, both.python):
            links = team.loops["agent-0"]._machine.links
            if 1 in links._links:
                links._links[1]._window = 10
        if (message.to, message.origin) != ("agent-0#1", "child-1") or not running(both):
            both.arrive(message)
    assert "acknowledges nothing" in both.python.stops["coordinator"].why


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_what_the_core_reads_the_codec_reads_alike(data):
    """And what the codec would refuse, the core does not read."""
    from bnpg_protocol.core import _steady

    kind = data.draw(st.sampled_from(STEP))
    frames = encode(data.draw(envelopes(messages(kind))))
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    if len(frames) > 1:
        return
    for frame in (bytes(frames[0]), flipped(bytes(frames[0]), dice)):
        read = _steady.header_of(frame)
        if read is None or not read[0].isascii():
            continue  # what names the run is compared with our own, letter by letter
        try:
            envelope = decode([frame])
        except MalformedMessage as error:
            raise AssertionError(f"the core read {read}, which is malformed: {error}") from None
        run, counters, name, scalars, arrays = read
        said = envelope.message
        assert (run.decode(), name) == (envelope.run, type(said).__name__)
        assert counters == (
            envelope.generation, envelope.epoch, envelope.sender, envelope.incarnation,
            envelope.seq, envelope.ack, envelope.lamport,
        )  # fmt: skip
        fields = structs.astuple(said)
        assert (*scalars, *arrays) == tuple(
            field.tolist() if isinstance(field, np.ndarray) else field for field in fields
        )
