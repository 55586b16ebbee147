"""Lanes stepped in parts come to the very bits of lanes stepped at once, whatever happens to the messages."""

import msgspec
import pytest

import coordinator.environment
from bnpg.soak.promise import difference
from bnpg.soak.schedule import Schedule, draw_schedule
from bnpg.soak.simulate import simulate
from coordinator.environment import parts_of

SCHEDULES = 60


def schedule(number: int) -> Schedule:
    """Return a sampled run with more lanes than schedules usually have."""
    drawn = draw_schedule(number)
    experiment = msgspec.structs.replace(drawn.experiment, mode="sampled", lanes=8 + number % 11)
    return msgspec.structs.replace(drawn, experiment=experiment)


@pytest.mark.parametrize("number", range(SCHEDULES))
def test_parts_and_faults_change_nothing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = schedule(number)
    assert parts_of(drawn.experiment.lanes) == 1
    reference = simulate(drawn.experiment)
    monkeypatch.setattr(coordinator.environment, "LANES_A_PART", 4)
    assert parts_of(drawn.experiment.lanes) > 1
    assert difference(reference, simulate(drawn.experiment, drawn.plan, drawn.order)) is None
