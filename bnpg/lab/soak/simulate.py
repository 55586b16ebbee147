"""One run in memory, without a disk, in virtual time, with or without faults."""

from collections import Counter
from itertools import count

import msgspec
from bnpg_agents.snapshot import Snapshot
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import Line
from bnpg_protocol.process.faults.plan import FaultPlan
from bnpg_protocol.process.simulation import Simulation
from bnpg_protocol.wire.exit_codes import ExitCode
from msgspec import Struct

from bnpg.lab.testing.in_memory import MemoryRecord, setup_of
from bnpg.launchers.cluster import Cluster
from bnpg_math.policies.joint import policy_digest

LONGEST = 1_000_000
"""Steps of a simulation after which it is called endless."""
MOST_RESUMES = 10
"""A run is resumed so often at the most: each fault of a plan strikes in one life of one process."""


class Result(Struct, frozen=True):
    """What a simulated run came to."""

    digest: str
    """SHA-256 over all thetas; empty if the agents are not all at the last round."""
    lines: list[Line]
    gathered: str
    """Digest of the gathered policy; empty if none was asked for."""
    stops: dict[str, tuple[ExitCode, str]]
    deaths: int
    delivered: int
    seconds: float
    """Virtual seconds."""
    struck: Counter[str]
    """How often each kind of fault struck, over all lives of all processes."""
    resumes: int
    """How often it was resumed, after something had run out."""


def simulate(
    experiment: Experiment,
    plan: FaultPlan | None = None,
    order: int | None = None,
    patience: float = 3600.0,
    relay: bool = False,
) -> Result:
    """Simulate a run to its end; one that ends because something ran out is resumed, as a person would.

    Parameters
    ----------
    experiment : Experiment
        Its game must be a built-in one.
    plan : FaultPlan, optional
    order : int, optional
        Seed of the order of delivery; None delivers in the order of sending.
    patience : float
        Virtual seconds without progress after which the coordinator gives up; agents wait twice as long.
    relay : bool
        Whether actions are handed on.
    """
    setup = msgspec.structs.replace(setup_of(experiment, patience=patience), relay=relay)
    record = MemoryRecord()
    thetas: list[dict[int, Snapshot]] = [{} for _ in range(setup.dag.agents)]
    identities = [""] * len(thetas)
    lives, generations = [count(1) for _ in thetas], count(1)
    deaths = delivered = 0
    seconds, struck = 0.0, Counter[str]()
    resumes = -1
    while resumes < MOST_RESUMES:
        resumes += 1
        cluster = Cluster(
            lambda generation: record.known(setup, generation),
            record.perform,
            thetas,
            identities=identities,
            next_life=lambda agent: next(lives[agent]),
            next_generation=lambda: next(generations),
            seed=order,
            plan=plan,
            patience=2 * patience,
            validate=True,
        )
        simulation = cluster.simulation
        _play(simulation)
        deaths += cluster.deaths
        delivered += simulation.delivered
        seconds += simulation.now
        struck += cluster.struck()
        if all(stop.code != ExitCode.STORAGE for stop in simulation.stops.values()):
            break
    complete = all(experiment.rounds in held for held in thetas)
    return Result(
        digest=policy_digest([held[experiment.rounds].flat for held in thetas]) if complete else "",
        lines=record.lines,
        gathered=policy_digest(record.gathered) if record.gathered else "",
        stops={name: (stop.code, stop.why) for name, stop in simulation.stops.items()},
        deaths=deaths,
        delivered=delivered,
        seconds=seconds,
        struck=struck,
        resumes=resumes,
    )


def _play(simulation: Simulation) -> None:
    """Let a simulation go on until all of its processes have ended, or nothing can happen any more."""
    for _ in range(LONGEST):
        if not simulation.running or not simulation.step():
            return
    raise AssertionError(f"still running after {LONGEST} steps: {simulation.running}")
