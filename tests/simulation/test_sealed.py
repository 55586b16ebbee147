"""Agents whose disks die lose nothing that they sealed, whenever that is; and open nothing but that."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from bnpg_agents.sealing import KEY_BYTES, Seal
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.sealed_checkpoints import SealedCheckpoints
from bnpg_protocol.process.faults.plan import FaultPlan, Kill
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.messages import CheckpointsReturned

from bnpg.lab.soak.schedule import draw_schedule
from bnpg.lab.testing.in_memory import Result, play

SAMPLED = Experiment(
    game="random(agents=3, states=2, actions=2, branching=2)", dag="line", rounds=4, lanes=2, horizon=2
)
EXACT = msgspec.structs.replace(SAMPLED, mode="exact")
SEAL = Seal(bytes(KEY_BYTES))
ONE = FaultPlan(kill=(Kill(process="agent-1", phase="signal", round=2),))


def outcome(result: Result) -> tuple[Any, ...]:
    return result.lines, result.digest, result.stops["coordinator"]


@pytest.mark.parametrize("experiment", [SAMPLED, EXACT])
def test_sealing_changes_no_bit(experiment: Experiment) -> None:
    assert outcome(play(experiment, seal=SEAL)) == outcome(play(experiment))


@pytest.mark.parametrize("experiment", [SAMPLED, EXACT])
@pytest.mark.parametrize("agent", [0, 1, 2])
def test_a_disk_may_die_at_any_moment_of_any_round(experiment: Experiment, agent: int) -> None:
    expected = outcome(play(experiment))
    deaths = 0
    for round_ in range(experiment.rounds):
        for phase in ("states", "sending", "signal", "storing", "stored"):
            plan = FaultPlan(kill=(Kill(process=f"agent-{agent}", phase=phase, round=round_),))
            result = play(experiment, plan=plan, seal=SEAL, disks_die=True)
            assert outcome(result) == expected, (phase, round_)
            deaths += result.deaths
    assert deaths >= 2 * experiment.rounds


def test_all_disks_may_die_at_once_and_the_coordinator_too() -> None:
    kills = tuple(Kill(process=f"agent-{one}", phase="stored", round=2) for one in range(3))
    plan = FaultPlan(kill=(*kills, Kill(process="coordinator", phase="recorded", round=3)))
    result = play(SAMPLED, plan=plan, seal=SEAL, disks_die=True)
    assert result.deaths == 4
    assert outcome(result) == outcome(play(SAMPLED))


def test_without_a_seal_the_same_death_ends_the_run() -> None:
    stop = play(SAMPLED, plan=ONE, disks_die=True).stops["coordinator"]
    assert stop.code == ExitCode.PROTOCOL
    assert "state folder was lost" in stop.why


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, 200, 50))
def test_random_schedules_of_faults_come_to_the_same_when_every_death_takes_the_disk(first: int) -> None:
    for number in range(first, first + 50):
        schedule = draw_schedule(number)
        plan = msgspec.structs.replace(schedule.plan, exhaust=())
        expected = play(schedule.experiment)
        result = play(schedule.experiment, schedule.order, plan, seal=SEAL, disks_die=True)
        assert result.lines == expected.lines, number
        assert result.stops["coordinator"].code == ExitCode.DONE, number


Change = Callable[[CheckpointsReturned], CheckpointsReturned]


def changed(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """Let the coordinator return something else than it was given."""
    honest = SealedCheckpoints.returned

    def returned(self: SealedCheckpoints, agent: int, life: int) -> CheckpointsReturned:
        message = honest(self, agent, life)
        return change(message) if message.rounds else message

    monkeypatch.setattr(SealedCheckpoints, "returned", returned)


def flipped(message: CheckpointsReturned) -> CheckpointsReturned:
    sealed = message.sealed.copy()
    sealed[-1] ^= 1
    return msgspec.structs.replace(message, sealed=sealed)


def emptied(message: CheckpointsReturned) -> CheckpointsReturned:
    return CheckpointsReturned(message.agent, message.incarnation, (), (), np.zeros(0, dtype=np.uint8))


def older(message: CheckpointsReturned) -> CheckpointsReturned:
    *rounds, _ = message.rounds
    *sizes, last = message.sizes
    return CheckpointsReturned(
        message.agent, message.incarnation, tuple(rounds), tuple(sizes), message.sealed[:-last]
    )


def renamed(message: CheckpointsReturned) -> CheckpointsReturned:
    return msgspec.structs.replace(message, rounds=tuple(one + 1 for one in message.rounds))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (flipped, "the sealed checkpoint of round 2 does not open"),
        (emptied, "of round 2 or later, got none: an old one"),
        (older, "of round 2 or later, got round 1: an old one"),
        (renamed, "expected the sealed checkpoint of round 2, got that of round 1"),
    ],
)
def test_a_coordinator_that_returns_something_else_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, change: Change, why: str
) -> None:
    changed(monkeypatch, change)
    stop = play(SAMPLED, plan=ONE, seal=SEAL, disks_die=True).stops["agent-1"]
    assert stop.code == ExitCode.PROTOCOL
    assert why in stop.why
    assert "\n" not in stop.why
    assert stop.why.startswith("agent 1: ")
