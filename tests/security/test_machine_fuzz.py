"""No message that the codec lets in brings a machine down, whoever sends it and whenever it comes.

What makes no sense is refused and counted, or ends the run with one line; it is never a traceback.
"""

import json
from typing import Any

import msgspec
import numpy as np
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.codec import encode
from bnpg_protocol.wire.effects import Log, Stop, Transmit
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import (
    ActionsAttested,
    ActionsRelayed,
    Failed,
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


def expected(said: list[tuple[int, int, Message]]) -> set[ExitCode]:
    """Return the codes with which a process may end: no defect, unless a peer tells its own."""
    told = {message.code for *_, message in said if isinstance(message, Failed)}
    return EXPECTED | ({ExitCode.INTERNAL} & told)


def hear(stage: Stage, sender: int, message: Message, codes: set[ExitCode]) -> None:
    """Let a message in and check what comes of it."""
    machine = stage.machine
    assert machine is not None
    envelope = stage._envelope(sender, message, {})
    arrived = machine.receive(envelope, stage.origin(sender, envelope.incarnation), stage.now)
    stage.now += 0.3
    for effect in [*arrived, *machine.tick(stage.now)]:
        if isinstance(effect, Transmit):
            encode(effect.envelope)
        elif isinstance(effect, Log):
            json.dumps(effect.fields)
        elif isinstance(effect, Stop):
            assert effect.code in codes
            assert "\n" not in effect.why
    machine.next_event()


def play(stage: Stage, scene: str, said: list[tuple[int, int, Message]]) -> None:
    stage.play(scene)
    codes = expected(said)
    with np.errstate(all="ignore"):
        for generation, sender, message in said:
            stage.generation = generation
            hear(stage, sender, message, codes)


GENERATIONS = st.sampled_from([1, 1, 1, 2])
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
            GENERATIONS,
            st.sampled_from([COORDINATOR, COORDINATOR, 0, 2]),
            plausible() | plausible(FOR_AGENTS),
        ),
        min_size=1,
        max_size=5,
    ),
)
@example(AGENT_SCENES[0], [(1, COORDINATOR, Reject("code", "two\nlines", "and\nmore"))])
@example(AGENT_SCENES[0], [(1, COORDINATOR, Reject("over", "two\nlines", ""))])
def test_an_agent(scene: str, said: list[tuple[int, int, Message]]) -> None:
    play(AgentStage(), scene, said)


@settings(max_examples=400)
@given(
    st.sampled_from(COORDINATOR_SCENES),
    st.lists(
        st.tuples(
            GENERATIONS,
            st.sampled_from([0, 1, 2]),
            plausible() | plausible(messages(Hello) | messages(ActionsAttested)),
        ),
        min_size=1,
        max_size=5,
    ),
)
@example(COORDINATOR_SCENES[1], [(1, 0, Failed(int(ExitCode.STORAGE), "two\nlines"))])
def test_a_coordinator(scene: str, said: list[tuple[int, int, Message]]) -> None:
    stage = CoordinatorStage()
    play(stage, scene, said)
    json.dumps(stage.machine.status(stage.now))  # type: ignore[union-attr]
