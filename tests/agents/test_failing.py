"""An agent that fails tells the coordinator why, in a message that it can read."""

from typing import Any

from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.effects import Transmit
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import Failed

from bnpg.lab.testing.stages import AgentStage


def test_a_long_reason_is_told_by_its_beginning_and_its_end() -> None:
    stage = AgentStage()
    stage.play("given\n> coordinator: Welcome\n")
    machine: Any = stage.machine
    told = [
        decode([bytes(frame) for frame in encode(effect.envelope)]).message
        for effect in machine.failed(ExitCode.STORAGE, f"begins {'x' * 70_000}\nends", 0.0)
        if isinstance(effect, Transmit)
    ]
    [failed] = [message for message in told if isinstance(message, Failed)]
    assert failed.why.startswith("begins x")
    assert failed.why.endswith("x ends")
