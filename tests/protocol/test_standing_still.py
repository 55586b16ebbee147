"""A process that is stopped and woken blames nobody for the silence meanwhile."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from bnpg_agents.machine import AgentMachine
from bnpg_agents.setup import AgentSetup
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.machine import CoordinatorMachine
from bnpg_protocol.process.awake import COUNTED
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.process.machine import Machine
from bnpg_protocol.process.progress import Progress
from bnpg_protocol.wire.effects import Stop
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.in_memory import setup_of

PATIENCE = 60.0
HOUR = 3600.0
MACHINES: list[Callable[[], Machine]] = [
    lambda: CoordinatorMachine(setup_of(Experiment(game="climbing"), patience=PATIENCE), 0.0),
    lambda: AgentMachine(AgentSetup(1, 1, "ipc://inbox", "numerics", {}, patience=PATIENCE), 0.0),
]


def test_the_loop_tells_its_machine_before_it_ticks() -> None:
    told: list[tuple[str, float]] = []
    times = iter([0.0, 0.0, 0.5, HOUR, HOUR + 0.5, HOUR + 1.0])
    now = 0.0

    def clock() -> float:
        nonlocal now
        now = next(times, now)
        return now

    def tick(at: float) -> list[Stop]:
        told.append(("tick", at))
        return [Stop(ExitCode.DONE, "")] if at > HOUR else []

    def stood_still(seconds: float, at: float) -> None:
        assert at == HOUR
        told.append(("stood still", seconds))

    machine = SimpleNamespace(
        tick=tick, stood_still=stood_still, next_event=lambda: None, prepare=lambda: None
    )
    transport = SimpleNamespace(receive=lambda _wait: [], close=lambda: None)
    Loop(machine, transport, lambda _: None, lambda _: [], lambda _: [], clock=clock).run()  # type: ignore[arg-type]
    assert told == [
        ("tick", 0.0), ("tick", 0.5),
        ("stood still", HOUR - 0.5 - COUNTED), ("tick", HOUR), ("tick", HOUR + 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize("made", MACHINES)
def test_the_patience_of_a_machine_does_not_run_out_meanwhile(made: Callable[[], Machine]) -> None:
    as_ever = made().tick(1.0)
    assert made().tick(HOUR + 1.0) != as_ever, "it is over for one that was not told"
    stood = made()
    stood.stood_still(HOUR, HOUR + 1.0)
    assert stood.tick(HOUR + 1.0) == as_ever, "it is as if an hour had been left out"
    assert stood.next_event() is not None


def test_a_run_that_stood_still_goes_in_no_circles() -> None:
    progress = Progress(PATIENCE, 0.0)
    progress.reach((1, 1), 1.0)
    progress.stood_still(HOUR, HOUR + 2.0)
    assert progress.circles("agent 0", HOUR + 2.0) == ""
    assert "got no further for 61 s" in progress.circles("agent 0", HOUR + PATIENCE + 2.0)
