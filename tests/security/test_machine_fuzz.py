"""No message that the codec lets in brings a machine down, whoever sends it and whenever it comes.

What makes no sense is refused and counted, or ends the run with one line; it is never a traceback.
"""

import json
from typing import Any, NamedTuple

import msgspec
import numpy as np
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.effects import Log, Stop, Transmit
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import (
    LARGEST_COUNT,
    ActionsAttested,
    ActionsRelayed,
    Failed,
    Farewell,
    FlowBroadcast,
    Hello,
    Message,
    Reject,
    Roster,
    SignalBroadcast,
    Start,
    StatesAnnounced,
    TableRequested,
    ThetaRequested,
    Welcome,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bnpg.lab.testing.messages import any_message, messages
from bnpg.lab.testing.stages import AgentStage, CoordinatorStage
from bnpg.lab.testing.transcript import Stage

FAMILY = "agent=1 parents=(0,) parent_actions=(2,) children=(2,)"
RELAY = "relay=True hears=((0,(0,)),) hands=((2,(0,1)),)"
AGENT_SCENES = [
    f"given {FAMILY}\n",
    f"given {FAMILY}\n> coordinator: Welcome\n",
    f"given {FAMILY}\njoined\n",
    f'given {FAMILY} mode="exact"\njoined\n',
    f"given {FAMILY} {RELAY}\njoined\n",
    f"given {FAMILY} {RELAY}\njoined\n> coordinator: StatesAnnounced round=0 turn=0 time=0 lane=0 [0]\n",
    f"given {FAMILY} held=(3,4)\njoined round=4\n"
    "> coordinator: StatesAnnounced round=4 turn=0 time=0 lane=0 [0]\n",
]
COORDINATOR_SCENES = [
    "given\n",
    "given\n> agent 0: Hello\n",
    "given\njoined\n",
    'given mode="exact" rounds=2\njoined\n',
    "given relay=True\njoined\n",
    "given rounds=0 save_policy=True\njoined\n",
    "given rounds=0\njoined\n",
]
EXPECTED = set(ExitCode) - {ExitCode.INTERNAL}


@st.composite
def plausible(draw: Any, kinds: st.SearchStrategy[Message] | None = None) -> Message:
    """Return any message, often about the present: nothing else gets far."""
    message = draw(any_message() if kinds is None else kinds)
    for field in ("round", "step", "turn", "time", "lane"):
        if hasattr(message, field) and draw(st.integers(0, 3)):
            message = msgspec.structs.replace(message, **{field: 4 * draw(st.integers(0, 1))})
    return message


class Around(NamedTuple):
    """What of an envelope is odd."""

    generation: int = 1
    ahead: int = 0
    """By how many epochs it is ahead of the receiver's."""
    life: int = 1
    lamport: int = 0


AROUND = st.builds(
    Around,
    st.sampled_from([1, 1, 1, 2]),
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from([1, 1, 1, 2]),
    st.sampled_from([0, 0, LARGEST_COUNT]),
)
Said = tuple[Around, int, Message]


def expected(said: list[Said]) -> set[ExitCode]:
    """Return the codes with which a process may end: no defect, unless a peer tells its own."""
    told = {message.code for *_, message in said if isinstance(message, Failed)}
    return EXPECTED | ({ExitCode.INTERNAL} & told)


def hear(stage: Stage, around: Around, sender: int, message: Message, codes: set[ExitCode]) -> None:
    """Let a message in as it comes off the wire, and check what comes of it."""
    machine = stage.machine
    assert machine is not None
    where = {"epoch": stage.epoch + around.ahead} if around.ahead else {}
    lives = {"incarnation": around.life} if sender != COORDINATOR else {}
    given = where | lives | {"lamport": around.lamport}
    envelope = decode([bytes(frame) for frame in encode(stage._envelope(sender, message, given))])
    arrived = machine.receive(envelope, stage.origin(sender, envelope.incarnation), stage.now)
    stage.epoch = machine.links.epoch or stage.epoch
    stage.now += 0.3
    for effect in [*arrived, *machine.tick(stage.now)]:
        if isinstance(effect, Transmit):
            decode([bytes(frame) for frame in encode(effect.envelope)])
        elif isinstance(effect, Log):
            json.dumps(effect.fields)
        elif isinstance(effect, Stop):
            assert effect.code in codes
            assert "\n" not in effect.why
    machine.next_event()


def play(stage: Stage, scene: str, said: list[Said]) -> None:
    stage.play(scene)
    codes = expected(said)
    with np.errstate(all="ignore"):
        for around, sender, message in said:
            stage.generation = around.generation
            hear(stage, around, sender, message, codes)


def greeting(agent: int, held: tuple[int, ...] = ()) -> Hello:
    """Return a Hello that is let in."""
    return Hello((2,), agent, "there", held, "E" if held else "", "F")


GREETINGS = st.builds(greeting, st.integers(-2, 2), st.sampled_from([(), (0,), (0, 1), (7,)]))
LIVES = st.sampled_from([1, 1, 2])
ROSTERS = st.builds(lambda parent, child: Roster(((0, parent),), ((2, child, "child-2"),)), LIVES, LIVES)
"""Of the family of the scenes."""
FOR_AGENTS = (
    messages(ActionsRelayed)
    | messages(FlowBroadcast)
    | messages(SignalBroadcast)
    | messages(StatesAnnounced)
    | messages(Welcome)
    | messages(Roster)
    | messages(Start)
    | messages(TableRequested)
    | messages(ThetaRequested)
)


@settings(max_examples=400)
@given(
    st.sampled_from(AGENT_SCENES),
    st.lists(
        st.tuples(
            AROUND,
            st.sampled_from([COORDINATOR, COORDINATOR, 0, 2]),
            plausible() | plausible(FOR_AGENTS) | ROSTERS,
        ),
        min_size=1,
        max_size=5,
    ),
)
@example(AGENT_SCENES[0], [(Around(), COORDINATOR, Reject("code", "two\nlines", "and\nmore"))])
@example(AGENT_SCENES[0], [(Around(), COORDINATOR, Reject("over", "two\nlines", ""))])
def test_an_agent(scene: str, said: list[Said]) -> None:
    play(AgentStage(), scene, said)


@settings(max_examples=400)
@given(
    st.sampled_from(COORDINATOR_SCENES),
    st.lists(
        st.tuples(
            AROUND,
            st.sampled_from([0, 1, 2]),
            plausible() | plausible(messages(Hello) | messages(ActionsAttested)) | GREETINGS,
        ),
        min_size=1,
        max_size=5,
    ),
)
@example(COORDINATOR_SCENES[2], [(Around(ahead=1), 0, Farewell()), (Around(life=2), 0, greeting(0))])
@example(COORDINATOR_SCENES[2], [(Around(lamport=LARGEST_COUNT), 0, Start(0))])
@example(COORDINATOR_SCENES[1], [(Around(), 0, Failed(int(ExitCode.STORAGE), "two\nlines"))])
def test_a_coordinator(scene: str, said: list[Said]) -> None:
    stage = CoordinatorStage()
    play(stage, scene, said)
    json.dumps(stage.machine.status(stage.now))  # type: ignore[union-attr]
