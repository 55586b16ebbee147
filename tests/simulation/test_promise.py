"""The one promise, under a thousand schedules of faults in virtual time."""

from pathlib import Path

import pytest
from bnpg_protocol.process.faults.plan import FaultPlan
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from bnpg.lab.soak.promise import broken_promise
from bnpg.lab.soak.schedule import Schedule, draw_experiment, draw_plan, draw_schedule
from bnpg.lab.soak.simulate import simulate

SCHEDULES = 1000
CHUNK = 50


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SCHEDULES, CHUNK))
def test_a_thousand_schedules_keep_the_promise(first: int) -> None:
    for number in range(first, first + CHUNK):
        why = broken_promise(draw_schedule(number))
        assert why is None, f"schedule {number}: {why}"


def test_the_schedules_are_no_idle_threat() -> None:
    """Every kind of fault strikes, and processes really die and return."""
    struck: set[str] = set()
    deaths = 0
    for number in range(60):
        schedule = draw_schedule(number)
        result = simulate(schedule.experiment, schedule.plan, schedule.order)
        struck |= set(result.struck)
        deaths += result.deaths
    assert struck == set(FaultPlan.__struct_fields__) - {"seed"}
    assert deaths > 10


@given(rng=st.randoms(use_true_random=False), order=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_broken_promise_shrinks_to_a_file(
    rng, order: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hypothesis draws the schedule, so that a failing one shrinks; the files replay it."""
    experiment = draw_experiment(rng)
    agents = int(experiment.game.split("agents=")[1].split(",")[0])
    schedule = Schedule(experiment, draw_plan(rng, agents, experiment.rounds), order)
    why = broken_promise(schedule)
    if why is not None:
        folder = Path(tmp_path_factory.getbasetemp()) / "broken-promise"
        note("replay: bnpg train {} --faults {}".format(*schedule.write(folder)))
    assert why is None, why
