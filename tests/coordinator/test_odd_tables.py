"""A table of what are no probabilities is refused before a sum of it overflows."""

import warnings
from typing import Any

import numpy as np
import pytest
from bnpg_coordinator.machine import CoordinatorMachine
from bnpg_protocol.wire.messages import TableShown

from bnpg.lab.testing.stages import CoordinatorStage


@pytest.mark.parametrize("value", [710.0, 1e308, -1e308, 2e-9, -800.0])
@pytest.mark.parametrize("kind", ['policy="direct"', 'policy="table"'])
def test_the_run_ends_by_naming_its_sender_and_nothing_is_warned_of(value: float, kind: str) -> None:
    stage = CoordinatorStage()
    stage.play(f'given mode="exact" rounds=2 {kind}\njoined\n')
    machine: Any = stage.machine
    assert isinstance(machine, CoordinatorMachine)
    table = np.full(machine._rounds.table_shape(0), value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        machine.receive(stage._envelope(0, TableShown(0, table), {}), stage.origin(0, 1), stage.now)
    assert "the table of agent 0 must hold" in machine._stop.why
