"""Networks with a critic: one result, whatever is killed, however lanes are parted and messages come."""

import random

import numpy as np
import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.plan import FaultPlan, Kill

from bnpg.lab.soak.schedule import draw_plan
from bnpg.lab.testing.in_memory import Result, play

ROUNDS = 5
PPO = {
    "game": "climbing", "dag": "line", "policy": "mlp:8,8", "update": "ppo", "rounds": ROUNDS, "lanes": 130,
    "evaluate_every": 2, "learning_rate": 0.01, "regularization": 0.02,
}  # fmt: skip
A2C = PPO | {
    "game": "coordination(agents=3)",
    "update": "a2c",
    "minibatches": 3,
    "horizon": 4,
    "entropy": 0.01,
}


def played(plan: FaultPlan | None = None, order: int | None = None, **fields) -> Result:
    return play(Experiment(**fields), order=order, plan=plan)


@pytest.mark.parametrize("fields", [PPO, A2C], ids=["ppo", "a2c"])
@pytest.mark.parametrize("phase", ["storing", "stored", "recorded"])
def test_a_coordinator_that_dies_around_the_critic_and_the_signal_changes_no_bit(fields, phase):
    """Before the critic is stored, between it and the line, and between the line and the signal."""
    expected = played(**fields)
    for round_ in (0, 2, ROUNDS - 1):
        plan = FaultPlan(kill=(Kill(process="coordinator", phase=phase, round=round_),))
        again = played(plan, **fields)
        assert again.deaths == 1
        assert (again.digest, again.lines) == (expected.digest, expected.lines)


@pytest.mark.parametrize("phase", ["storing", "stored", "sending"])
def test_an_agent_that_dies_around_its_update_changes_no_bit(phase):
    expected = played(**PPO)
    for round_ in (0, 2, ROUNDS - 1):
        again = played(FaultPlan(kill=(Kill(process="agent-1", phase=phase, round=round_),)), **PPO)
        assert again.deaths == 1
        assert (again.digest, again.lines) == (expected.digest, expected.lines)


@pytest.mark.parametrize("fields", [PPO, A2C], ids=["ppo", "a2c"])
def test_whatever_happens_to_messages_and_processes_changes_no_bit(fields):
    expected = played(**fields)
    deaths = 0
    for number in range(12):
        again = played(draw_plan(random.Random(number), 2, ROUNDS), number, **fields)
        assert (again.digest, again.lines) == (expected.digest, expected.lines)
        deaths += again.deaths
    assert deaths


@pytest.mark.parametrize("fields", [PPO, A2C, PPO | {"update": "gradient"}], ids=["ppo", "a2c", "gradient"])
def test_parts_change_no_bit(fields):
    whole, two, four = (played(**fields, parts=parts) for parts in (1, 2, 4))
    assert whole.digest == two.digest == four.digest
    assert whole.lines == two.lines == four.lines


def test_the_record_holds_how_every_update_went():
    lines = played(**PPO).lines
    for line in lines[1:]:
        assert line.kl >= 0.0
        assert 0.0 <= line.clip_share <= 1.0
        assert 0.0 < line.entropy <= np.log(3) + 1e-12
    assert all(line.explained_variance <= 1.0 for line in lines[:-1])
    # The first round has no update before it, and the last one plays nothing.
    assert not isinstance(lines[0].kl, float)
    assert not isinstance(lines[-1].explained_variance, float)


def test_the_true_gap_of_networks_is_measured_and_falls():
    result = played(**PPO | {"rounds": 30, "evaluate_every": 30})
    first, last = result.lines[0], result.lines[-1]
    assert last.nash_gap < 0.2 * first.nash_gap
    assert last.value > first.value + 5.0


def test_another_seed_is_another_run():
    assert played(**PPO).digest != played(**PPO, seed=1).digest
