"""However exact rounds are climbed: deaths and a bad network change no bit of it."""

import random

import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.plan import FaultPlan, Kill, Phase

from bnpg.algorithm import learn
from bnpg.lab.soak.promise import broken_promise
from bnpg.lab.soak.schedule import Schedule, draw_edges, draw_plan
from bnpg.lab.soak.simulate import simulate
from bnpg_math.policies.joint import policy_digest

WAYS = [
    {"step_size": "backtracking"},
    {"step_size": "barzilai-borwein"},
    {"step_size": "backtracking", "direction": "natural", "momentum": "nesterov"},
    {"step_size": "barzilai-borwein", "direction": "natural"},
    {"momentum": "nesterov", "learning_rate": 10.0},
    {"direction": "natural"},
    {"policy": "direct", "regularization": 0.0, "learning_rate": 3.0},
]
IDS = ["-".join(map(str, way.values())) for way in WAYS]


def experiment(way: dict, number: int, **fields) -> Experiment:
    rng = random.Random(f"{way} {number}")
    common = {
        "game": f"random(agents=3, states=2, actions=2, branching=2, seed={number})",
        "mode": "exact", "dag": draw_edges(rng, 3), "rounds": 8, "learning_rate": 0.5,
        "regularization": 0.05, "initial": "normal", "seed": number, "evaluate_every": 3, "save_policy": True,
    }  # fmt: skip
    return Experiment(**(common | way | fields))


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_schedules_of_all_faults_keep_the_promise(way: dict) -> None:
    for number in range(12):
        chosen = experiment(way, number)
        plan = draw_plan(random.Random(number), 3, chosen.rounds)
        why = broken_promise(Schedule(chosen, plan, order=number))
        assert why is None, f"{number}: {why}"


AGENT: tuple[Phase, ...] = ("signal", "storing", "stored")
COORDINATOR: tuple[Phase, ...] = ("recorded", "signalling")


@pytest.mark.parametrize("way", WAYS, ids=IDS)
@pytest.mark.parametrize(
    ("process", "phase"),
    [*(("coordinator", phase) for phase in COORDINATOR), *(("agent-1", phase) for phase in AGENT)],
)
def test_a_death_in_any_round_at_any_moment_changes_nothing(way: dict, process: str, phase: Phase) -> None:
    """Also when agents and coordinator die together, and nobody but the disks remembers anything."""
    chosen = experiment(way, 1)
    reference = simulate(chosen)
    for round_ in range(chosen.rounds):
        deaths = [Kill(process=process, phase=phase, round=round_)]
        if round_ % 2:
            deaths.append(Kill(process="coordinator", phase="signalling", round=round_))
            deaths.append(Kill(process="agent-0", phase="stored", round=round_))
        result = simulate(chosen, FaultPlan(kill=tuple(deaths)), order=round_)
        assert result.deaths >= 1
        assert (result.digest, result.lines, result.gathered) == (
            reference.digest,
            reference.lines,
            reference.gathered,
        )


def test_momentum_is_begun_anew_in_these_runs() -> None:
    """Or the tests above would say nothing of going back."""
    lines = [line for number in range(12) for line in simulate(experiment(WAYS[4], number)).lines]
    assert any(line.step_size == 0.0 for line in lines)
    assert any(isinstance(line.momentum, float) and line.momentum > 0.5 for line in lines)


def test_tables_with_zeros_travel_in_these_runs() -> None:
    """Or the tests above would say nothing of direct policies that have any."""
    chosen = experiment(WAYS[6], 1)
    *_, team = learn(chosen)
    assert any((policy.table == 0.0).any() for policy in team)
    assert simulate(chosen).digest == policy_digest([policy.theta["theta"] for policy in team])


@pytest.mark.parametrize("step_size", ["backtracking", "barzilai-borwein"])
def test_a_step_size_does_not_grow_without_end_where_tables_are_saturated(step_size: str) -> None:
    """It is doubled round after round there; infinity times a gradient of 0 once ended such runs."""
    chosen = Experiment(
        game="climbing", mode="exact", dag="empty", rounds=1300, step_size=step_size, evaluate_every=0
    )
    sizes = [line.step_size for line in simulate(chosen).lines if isinstance(line.step_size, float)]
    assert len(sizes) == 1300
    assert sizes[-1] == max(sizes) == 2.0**500
