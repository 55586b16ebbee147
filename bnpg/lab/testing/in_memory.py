"""A run in this process, on a network whose order of delivery a seed decides: the oracle of all tests."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from bnpg_agents.sealing import Seal
from bnpg_coordinator.automatic import settled
from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.effects import DropSealed, Gathered, KeepCritic, KeepSealed, Record, Rewind
from bnpg_coordinator.experiment import Experiment, experiment_digest
from bnpg_coordinator.line import Line
from bnpg_coordinator.loading import certified_learning_rate, load_game
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_coordinator.worlds.interface import World
from bnpg_coordinator.worlds.table import TableWorld
from bnpg_protocol.process.faults.plan import FaultPlan
from bnpg_protocol.wire.effects import Effect, Stop
from bnpg_protocol.wire.sealed import LARGEST

from bnpg.experiment_plan import ExperimentPlan
from bnpg.launchers.cluster import COORDINATOR, Cluster
from bnpg.one_thread import one_thread
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.numerics import fingerprint
from bnpg_math.dag.text import parse_dag
from bnpg_math.policies.joint import policy_digest


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    lines: list[Line]
    """The run record without its wall times."""
    thetas: list[FloatArray]
    """The last theta of every agent; empty of one whose disk died last."""
    gathered: list[FloatArray]
    """What the coordinator gathered, if `save_policy` was asked for."""
    stops: dict[str, Stop]
    """How every process ended."""
    deaths: int
    delivered: int
    """Envelopes delivered."""
    seconds: float
    """Virtual time that passed."""

    @property
    def digest(self) -> str:
        """The `policy_digest` of the last thetas."""
        return policy_digest(self.thetas)


def setup_of(experiment: Experiment, generation: int = 1, patience: float = 120.0) -> CoordinatorSetup:
    """Return what a coordinator of this experiment starts with; its game must be a built-in one."""
    game = load_game(experiment, Path())
    dag = parse_dag(experiment.dag, game.agents)
    return CoordinatorSetup(
        run=hashlib.sha256(msgspec.json.encode(experiment)).hexdigest()[:16],
        generation=generation,
        experiment=experiment,
        digest=experiment_digest(experiment, game.digest, experiment.initial),
        world=TableWorld(game),
        dag=dag,
        learning_rate=certified_learning_rate(experiment, game, dag),
        initial=(),
        numerics=fingerprint(),
        patience=patience,
    )


def setup_of_plan(plan: ExperimentPlan, generation: int = 1) -> CoordinatorSetup:
    """Return what a coordinator of a plan starts with, of a game or of a simulator; its digest is made up."""
    world: World
    if plan.game is not None:
        world = TableWorld(plan.game)
    else:
        assert plan.simulator is not None, "either a game or a simulator"
        world = plan.simulator.world
    return CoordinatorSetup(
        run="f" * 32,
        generation=generation,
        experiment=plan.experiment,
        digest="f" * 32,
        world=world,
        dag=plan.dag,
        learning_rate=0.5,
        initial=(),
        numerics=fingerprint(),
        patience=60.0,
    )


class MemoryRecord:
    """What the coordinator of a simulated run hands over, through all its lives."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.gathered: list[FloatArray] = []
        self.sealed: dict[int, dict[int, bytes]] = {}
        self.critics: dict[int, CriticState] = {}

    def perform(self, effect: Effect) -> None:
        """Keep what is to be kept."""
        match effect:
            case Record(line=line):
                self.lines.append(line)
            case Rewind(round=round_):
                self.lines[:] = [line for line in self.lines if line.round < round_]
            case KeepCritic(round=round_, state=state):
                for old in [other for other in self.critics if other < round_ - 1]:
                    del self.critics[old]
                self.critics[round_] = state
            case Gathered(thetas=thetas):
                self.gathered[:] = thetas
            case KeepSealed(agent=agent, round=round_, sealed=sealed):
                before = self.sealed.get(agent, {})
                others = {other: content for other, content in before.items() if (other - round_) % 2}
                self.sealed[agent] = others | {round_: sealed}
            case DropSealed(agent=agent, round=round_):
                del self.sealed[agent][round_]

    def known(self, setup: CoordinatorSetup, generation: int, **fields: Any) -> CoordinatorSetup:
        """Return what a coordinator starts with that takes up the run here."""
        return msgspec.structs.replace(
            setup, generation=generation, recorded=tuple(self.lines), critics=dict(self.critics), **fields
        )


def play(
    experiment: Experiment,
    order: int | None = None,
    plan: FaultPlan | None = None,
    seal: Seal | None = None,
    disks_die: bool = False,
    relay: bool = False,
) -> Result:
    """Play a whole run in virtual time.

    Parameters
    ----------
    experiment : Experiment
    order : int, optional
        Seed of the order of delivery; None delivers in the order of sending.
    plan : FaultPlan, optional
        What happens to messages and processes meanwhile.
    seal : Seal, optional
        With what the agents seal their checkpoints, for the coordinator to keep.
    disks_die : bool
        Whether an agent that dies loses what it has stored.
    relay : bool
        Whether actions are handed on.
    """
    experiment = settled(experiment, load_game(experiment, Path()))
    setup = msgspec.structs.replace(setup_of(experiment), relay=relay)
    record = MemoryRecord()
    cluster = Cluster(
        lambda generation: record.known(
            setup, generation, largest_sealed=LARGEST if seal else 0, sealed=record.sealed
        ),
        record.perform,
        [{} for _ in range(setup.dag.agents)],
        seed=order,
        plan=plan,
        seal=seal,
        sealed_from=lambda: record.lines[-1].round if record.lines else 0,
        disks_die=disks_die,
        validate=True,
    )
    simulation = cluster.simulation
    with one_thread():  # as in every process: more threads may change the last bit of a sum
        simulation.run()
    thetas = [
        held[max(held)].flat if held else _nothing(agent, disks_die)
        for agent, held in enumerate(cluster.thetas)
    ]
    assert COORDINATOR in simulation.stops, f"the coordinator never ended: {simulation.stops}"
    return Result(
        record.lines,
        thetas,
        record.gathered,
        simulation.stops,
        cluster.deaths,
        simulation.delivered,
        simulation.now,
    )


def _nothing(agent: int, disks_die: bool) -> FloatArray:
    if disks_die:
        return np.zeros(0)
    raise AssertionError(f"agent {agent} never stored a theta")
