"""Whatever a member does, the end of the run is told to everybody, in a message that everybody can read."""

from typing import Any

import numpy as np
import pytest
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.effects import Effect, Transmit
from bnpg_protocol.wire.link import Link
from bnpg_protocol.wire.messages import (
    ActionsChosen,
    EdgesConfirmed,
    Failed,
    Finish,
    Hello,
    Message,
    SignalApplied,
)

from bnpg.lab.testing.stages import CoordinatorStage

LONG = 65_495
"""Characters that just fit into a header of their own."""


def joined(given: str = "") -> CoordinatorStage:
    stage = CoordinatorStage()
    stage.play(f"given {given}\njoined\n")
    return stage


def hear(stage: CoordinatorStage, sender: int, message: Message, **given: Any) -> list[Effect]:
    machine: Any = stage.machine
    envelope = stage._envelope(sender, message, given)
    envelope = decode([bytes(frame) for frame in encode(envelope)])
    arrived: list[Effect] = machine.receive(envelope, stage.origin(sender, envelope.incarnation), stage.now)
    return arrived


def told(effects: list[Effect]) -> dict[int, Finish]:
    """Return what is read of the end, by whom it is told."""
    ends = {}
    for effect in effects:
        if isinstance(effect, Transmit):
            message = decode([bytes(frame) for frame in encode(effect.envelope)]).message
            if isinstance(message, Finish):
                ends[effect.to] = message
    return ends


def test_who_acknowledges_nothing_is_named_and_told() -> None:
    stage = joined("rounds=9")
    links: dict[int, Link] = stage.machine._links._links  # type: ignore[union-attr]
    links[1]._window = 4
    effects: list[Effect] = []
    for round_ in range(4):
        for message in (ActionsChosen(round_, 0, np.zeros(2, np.uint8)), SignalApplied(round_, "digest")):
            for agent, ack in ((0, links[0].next_seq - 1), (1, 0)):
                effects += hear(stage, agent, message, ack=ack)
    ends = told(effects)
    assert set(ends) == {0, 1}
    assert "agent 1 acknowledges nothing" in ends[0].reason
    assert len(links[1].unacknowledged) == 5, "one more than the window, which whoever receives it takes"


@pytest.mark.parametrize("said", ["x" * LONG, "\x1b" * LONG])
def test_what_a_member_says_of_its_failure_fits_into_the_end(said: str) -> None:
    ends = told(hear(joined(), 0, Failed(6, said)))
    assert set(ends) == {0, 1}
    assert all(end.reason.startswith("agent 0 failed: ") for end in ends.values())


def test_a_member_that_says_to_hold_everything_else_leaves_an_end_that_can_be_read() -> None:
    stage = joined()
    held = tuple(range(1, 15_000))
    joining = hear(stage, 0, Hello((2,), 0, "there", held, "E", "F"), incarnation=2)
    assert len(str(joining)) < LONG, "nor a line of the log for each"
    stage.epoch = 2
    effects = hear(stage, 0, EdgesConfirmed((), (1,)), incarnation=2)
    effects += hear(stage, 1, EdgesConfirmed((0,), ()))
    ends = told(effects)
    assert set(ends) == {0, 1}
    assert "agent 0 holds theta of 1, 2, 3, " in ends[1].reason
