"""Beacons: signs of life that an agent sends by itself, and no more often than it says."""

from itertools import pairwise
from typing import Any

from bnpg_protocol.wire.effects import Transmit
from bnpg_protocol.wire.messages import Beacon

from bnpg.lab.testing.stages import AgentStage


def test_an_agent_that_was_welcomed_gives_a_sign_of_life_twice_a_second() -> None:
    stage = AgentStage()
    stage.play("given\njoined\n")
    machine: Any = stage.machine
    sent = [
        tenth / 10
        for tenth in range(1, 101)
        for effect in machine.tick(tenth / 10)
        if isinstance(effect, Transmit) and isinstance(effect.envelope.message, Beacon)
    ]
    assert 19 <= len(sent) <= 20
    assert {round(later - earlier, 1) for earlier, later in pairwise(sent)} == {0.5}
    assert machine.next_event() <= 10.5


def test_who_was_not_welcomed_says_nothing_but_its_greeting() -> None:
    stage = AgentStage()
    stage.play("given\n")
    machine: Any = stage.machine
    said = {
        type(effect.envelope.message).__name__ for tenth in range(50) for effect in machine.tick(tenth / 10)
    }
    assert said == {"Hello"}
