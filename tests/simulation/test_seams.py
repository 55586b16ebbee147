"""Policies and worlds of another kind go through unchanged machines, to the bit, whatever dies on the way."""

import random
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tomli_w
from bnpg_agents.checkpoint import load_snapshots
from bnpg_agents.local_policy import MakePolicy, tabular
from bnpg_agents.snapshot import Snapshot
from bnpg_coordinator.effects import Record, Rewind
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import Line
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_protocol.process.faults.plan import FaultPlan, Kill, plan_document
from bnpg_protocol.wire.effects import Effect
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.soak.schedule import draw_plan
from bnpg.lab.testing.fakes import welcome
from bnpg.lab.testing.in_memory import setup_of
from bnpg.launchers.cluster import Cluster
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game as find_game
from tests.simulation.networks import Counter, network

GAME, DAG = "random(agents=3, states=3, actions=3, branching=2, seed=5)", "0-2,1-2"
SAMPLED = {
    "game": GAME, "dag": DAG, "rounds": 4, "lanes": 13, "horizon": "geometric", "learning_rate": 0.5,
    "regularization": 0.05, "seed": 7, "evaluate_every": 2,
}  # fmt: skip
PROGRAM = Path(__file__).with_name("network_agent.py")


def played(
    setup: CoordinatorSetup, policy: MakePolicy, plan: FaultPlan | None = None, order: int | None = None
) -> tuple[list[Line], list[Snapshot], int]:
    """Return the run record, what every agent holds of the last round, and how many processes died."""
    lines: list[Line] = []

    def perform(effect: Effect) -> None:
        if isinstance(effect, Record):
            lines.append(effect.line)
        elif isinstance(effect, Rewind):
            lines[:] = [line for line in lines if line.round < effect.round]

    cluster = Cluster(
        lambda generation: msgspec.structs.replace(setup, generation=generation, recorded=tuple(lines)),
        perform,
        [{} for _ in range(setup.dag.agents)],
        seed=order,
        plan=plan,
        patience=7200.0,
        policy=policy,
        validate=True,
    )
    cluster.simulation.run()
    assert {stop.code for stop in cluster.simulation.stops.values()} == {ExitCode.DONE}
    return lines, [held[setup.experiment.rounds] for held in cluster.thetas], cluster.deaths


def digests(snapshots: list[Snapshot]) -> list[str]:
    return [snapshot.digest for snapshot in snapshots]


@pytest.mark.parametrize("mode", ["sampled", "exact"])
def test_a_network_survives_kills_to_the_bit(mode: str) -> None:
    setup = setup_of(Experiment(**(SAMPLED | {"mode": mode})), patience=3600.0)
    lines, thetas, _ = played(setup, network)
    deaths = 0
    for number in range(36):
        plan = draw_plan(random.Random(number), 3, 4)
        again, reached, died = played(setup, network, plan, order=number)
        assert (again, digests(reached)) == (lines, digests(thetas))
        deaths += died
    assert deaths >= 2


def test_parts_change_no_bit_of_a_network() -> None:
    whole, parted = (
        digests(played(setup_of(Experiment(**SAMPLED, parts=parts)), network)[1]) for parts in (1, 3)
    )
    assert whole == parted


def test_a_network_learns_and_its_nash_gap_is_measured_exactly() -> None:
    """What the coordinator records is the gap of the tables that the networks come to."""
    setup = setup_of(Experiment(**(SAMPLED | {"mode": "exact", "rounds": 60, "learning_rate": 2.0})))
    lines, thetas, _ = played(setup, network)
    game = find_game(GAME)
    dag = parse_dag(DAG, game.agents)
    invited = [
        welcome(
            agent, states=3, actions=3, parents=dag.parents[agent], regularization=0.05,
            parent_actions=(3,) * len(dag.parents[agent]),
        )
        for agent in range(3)
    ]  # fmt: skip
    tables = [
        np.exp(network(one).at(snapshot.theta).log_table)
        for one, snapshot in zip(invited, thetas, strict=True)
    ]
    expected = nash_gap(game, dag, tables, evaluate(game, joint_policy(tables, dag))).gap
    assert lines[-1].nash_gap == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert lines[-1].objective > lines[0].objective + 0.1
    assert lines[-1].nash_gap < lines[0].nash_gap


def test_a_network_as_processes_comes_to_the_bits_of_memory_though_two_are_killed(
    start_coordinator, scratch, tmp_path: Path
) -> None:
    """Two agents die by SIGKILL, one in the midst of storing what it learnt."""
    experiment = {key.replace("_", "-"): value for key, value in SAMPLED.items()}
    expected = digests(played(setup_of(Experiment(**SAMPLED)), network)[1])
    coordinator = start_coordinator(**experiment)
    plan = FaultPlan(
        kill=(
            Kill(process="agent-1", phase="storing", round=1),
            Kill(process="agent-0", phase="sending", round=2),
        )
    )
    file = tmp_path / "plan.toml"
    file.write_text(tomli_w.dumps(plan_document(plan)))
    environment = scratch.environment | {"PYTHONPATH": str(PROGRAM.parents[2])}
    processes: dict[int, subprocess.Popen] = {}

    def start(agent: int) -> None:
        inbox = f"ipc://{scratch.path}/network-{agent}.ipc"
        arguments = [str(tmp_path / f"net-{agent}"), coordinator.endpoint, inbox, str(agent), str(file)]
        processes[agent] = subprocess.Popen(
            [sys.executable, str(PROGRAM), *arguments], cwd=scratch.path, env=environment,
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    try:
        for agent in range(3):
            start(agent)
        for agent in (1, 0):
            assert processes[agent].wait() == -9
            processes[agent].stdin.close()
            start(agent)
        assert coordinator.wait() == ExitCode.DONE
        assert [process.wait() for _, process in sorted(processes.items())] == [0, 0, 0]
    finally:
        for agent, process in processes.items():
            process.kill()
            process.wait()
            process.stdin.close()
            (scratch.path / f"network-{agent}.ipc").unlink(missing_ok=True)
    held = [load_snapshots(tmp_path / f"net-{agent}") for agent in range(3)]
    assert [one[SAMPLED["rounds"]].digest for one in held] == expected


def without_model(**fields) -> CoordinatorSetup:
    usual = {"game": "climbing", "rounds": 5, "lanes": 9, "horizon": 4, "evaluate_every": 0, "parts": 2}
    setup = setup_of(Experiment(**(usual | fields)))
    return msgspec.structs.replace(setup, world=Counter())


@pytest.mark.parametrize("policy", [tabular, network])
def test_a_world_without_a_model_is_learnt_in_and_survives_kills(policy: MakePolicy) -> None:
    setup = without_model()
    lines, thetas, _ = played(setup, policy)
    assert len(lines) == 6
    for number in range(6):
        plan = draw_plan(random.Random(number), 2, 5)
        again, reached, _ = played(setup, policy, plan, order=number)
        assert (again, digests(reached)) == (lines, digests(thetas))


def test_the_team_learns_in_a_world_without_a_model() -> None:
    lines, _, _ = played(without_model(rounds=60, lanes=64, learning_rate=1.0), tabular)
    assert lines[-2].return_mean > lines[0].return_mean + 3 * lines[0].return_stderr


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"mode": "exact"}, "mode exact"),
        ({"evaluate_every": 5}, "evaluate-every"),
        ({"stop_at_epsilon": 0.1}, "stop-at-epsilon"),
    ],
)
def test_what_needs_a_model_is_refused_where_there_is_none(fields: dict, what: str) -> None:
    with pytest.raises(InputError, match=f"{what} needs a world whose model is known"):
        without_model(**fields)
