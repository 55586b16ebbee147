"""Lanes stepped in parts come to the very bits of lanes stepped at once, whatever happens to the messages."""

import msgspec
import pytest
from bnpg_coordinator.lanes import parts_of

from bnpg.lab.soak.promise import difference
from bnpg.lab.soak.schedule import Schedule, draw_schedule
from bnpg.lab.soak.simulate import simulate

SCHEDULES = 60


def schedule(number: int) -> Schedule:
    """Return a sampled run with more lanes than schedules usually have."""
    drawn = draw_schedule(number)
    experiment = msgspec.structs.replace(drawn.experiment, mode="sampled", lanes=8 + number % 11)
    return msgspec.structs.replace(drawn, experiment=experiment)


@pytest.mark.parametrize("number", range(SCHEDULES))
def test_parts_and_faults_change_nothing(number: int) -> None:
    drawn = schedule(number)
    parted = msgspec.structs.replace(drawn.experiment, parts=2 + number % 3)
    assert parts_of(drawn.experiment) == 1 < parts_of(parted)
    assert difference(simulate(drawn.experiment), simulate(parted, drawn.plan, drawn.order)) is None
