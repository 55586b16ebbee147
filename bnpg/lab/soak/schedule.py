"""A schedule: an experiment, a fault plan and an order of delivery, all drawn from one number."""

import random
from pathlib import Path
from typing import Any, Literal

import msgspec
import tomli_w
from bnpg_coordinator.experiment import Experiment, experiment_toml
from bnpg_protocol.process.faults.links import check_links
from bnpg_protocol.process.faults.plan import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Exhaust,
    FaultPlan,
    Kill,
    LinkFault,
    Partition,
    Pause,
    Phase,
    PlanError,
    Reorder,
    plan_document,
)
from bnpg_protocol.process.faults.shortage import Resource
from msgspec import Struct

from bnpg_math.dag import Dag
from bnpg_math.dag.routes import relayed
from bnpg_math.dag.text import parse_dag

EDGES: dict[bool, tuple[Phase, ...]] = {
    False: ("greeting", "welcomed", "adopting", "joining", "stored", "leaving"),
    True: ("greeted", "rewinding", "gathering", "concluding", "concluded", "leaving"),
}
"""Moments at both ends of a life, of agents and of the coordinator."""
AGENT_PHASES: tuple[Phase, ...] = ("joining", "states", "sending", "signal", "storing", "stored")
COORDINATOR_PHASES: tuple[Phase, ...] = ("announcing", "recorded", "signalling", "concluded")
RESOURCES: tuple[Resource, ...] = ("disk", "descriptors", "memory")
KINDS = (
    "StatesAnnounced",
    "ObservationsAnnounced",
    "ActionsChosen",
    "SignalBroadcast",
    "FlowBroadcast",
    "SignalApplied",
    "TableShown",
)
MOST_AGENTS = 12


class Schedule(Struct, frozen=True):
    """One run to be simulated."""

    experiment: Experiment
    plan: FaultPlan
    order: int
    """Seed of the order in which links deliver."""
    relay: bool = False
    """Whether actions are handed on; its fault-free twin has no relay."""

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write experiment and plan as files that `bnpg train EXPERIMENT --faults PLAN` replays.

        Where there is a relay, `--relay on` belongs to it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        experiment, plan = folder / "experiment.toml", folder / "plan.toml"
        experiment.write_text(experiment_toml(self.experiment))
        plan.write_text(tomli_w.dumps(plan_document(self.plan)))
        return experiment, plan


def draw_schedule(number: int) -> Schedule:
    """Return the schedule of a number: the same number, the same schedule.

    The faults are such that a run can survive them: losses are not total, partitions heal, and every death is
    followed by a return.
    """
    rng = random.Random(f"schedule {number}")  # noqa: S311
    experiment = draw_experiment(rng)
    if experiment.mode == "exact":
        experiment = msgspec.structs.replace(experiment, **draw_ascent(number))
    agents = int(experiment.game.split("agents=")[1].split(",")[0])
    plan, order = draw_plan(rng, agents, experiment.rounds), rng.randrange(2**32)
    plan = draw_more(number, plan, agents)
    return Schedule(experiment, plan, order, draw_relay(number, parse_dag(experiment.dag, agents), plan))


def draw_relay(number: int, dag: Dag, plan: FaultPlan) -> bool:
    """Draw whether actions are handed on, unless the plan is about links that are not there then."""
    rng = random.Random(f"relay {number}")  # noqa: S311
    try:
        check_links(plan, "the plan", dag.edges, relayed(dag).edges)
    except PlanError:
        return False
    return rng.random() < 0.5


def draw_experiment(rng: random.Random) -> Experiment:
    """Draw a small random game, a random DAG over it, and a way to learn it."""
    agents = rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 8, MOST_AGENTS))
    states = rng.randint(1, 3)
    actions = 2 if agents > 4 else rng.randint(2, 3)
    sizes = f"agents={agents}, states={states}, actions={actions}"
    game = f"random({sizes}, branching={rng.randint(1, states)}, seed={rng.randrange(1000)})"
    return Experiment(
        game=game,
        mode=rng.choice(("sampled", "sampled", "exact")),
        dag=draw_edges(rng, agents),
        rounds=rng.randint(1, 3),
        learning_rate=0.5,
        regularization=rng.choice((0.0, 0.01)),
        lanes=rng.randint(1, 5),
        horizon=rng.choice((1, 2, 3, "geometric")) if rng.random() < 0.9 else "geometric-visit",
        initial=rng.choice(("zeros", "normal")),
        seed=rng.randrange(1000),
        evaluate_every=rng.choice((0, 0, 1)) if agents <= 4 else 0,
        save_policy=rng.random() < 0.3,
    )


def draw_ascent(number: int) -> dict[str, str]:
    """Draw how the exact rounds of a schedule are climbed."""
    rng = random.Random(f"ascent {number}")  # noqa: S311
    step_size = rng.choice(("fixed", "backtracking", "barzilai-borwein"))
    momentum = "none" if step_size == "barzilai-borwein" else rng.choice(("none", "nesterov"))
    return {
        "step_size": step_size,
        "direction": rng.choice(("gradient", "natural")),
        "momentum": momentum,
    }


def draw_more(number: int, plan: FaultPlan, agents: int) -> FaultPlan:
    """Add, to every other plan, deaths and pauses at both ends of lives, or something that runs out."""
    rng = random.Random(f"edges {number}")  # noqa: S311
    if rng.random() < 0.5:
        return plan

    def moment(phases: dict[bool, tuple[Phase, ...]]) -> dict[str, Any]:
        coordinator = rng.random() < 0.4
        return {
            "process": "coordinator" if coordinator else f"agent-{rng.randrange(agents)}",
            "phase": rng.choice(phases[coordinator]),
            "incarnation": rng.randint(1, 2),
        }

    def exhaust() -> Exhaust:
        lasting = round(rng.random() * 5.0, 2) if rng.random() < 0.5 else None
        anywhere = {False: (*EDGES[False], *AGENT_PHASES), True: (*EDGES[True], *COORDINATOR_PHASES)}
        of = rng.choice(RESOURCES)
        return Exhaust(**moment(anywhere), of=of, seconds=lasting, after=rng.randint(1, 3))

    return msgspec.structs.replace(
        plan,
        kill=(*plan.kill, *(Kill(**moment(EDGES)) for _ in range(rng.randint(0, 2)))),
        pause=(*plan.pause, *(Pause(**moment(EDGES), seconds=2.0) for _ in range(rng.randint(0, 1)))),
        exhaust=tuple(exhaust() for _ in range(rng.randint(0, 2))),
    )


def draw_edges(rng: random.Random, agents: int) -> str:
    """Draw a DAG whose topological order is any order of the agents."""
    order = list(range(agents))
    rng.shuffle(order)
    density = rng.random() * min(1.0, 4.0 / agents)
    edges = [
        f"{order[i]}-{order[j]}"
        for i in range(agents)
        for j in range(i + 1, agents)
        if rng.random() < density
    ]
    return ",".join(edges) if edges else "empty"


def draw_plan(rng: random.Random, agents: int, rounds: int) -> FaultPlan:
    """Draw faults that a run can survive."""

    def some(most: int) -> range:
        return range(rng.randint(0, most))

    def name() -> str:
        return rng.choice(("*", "coordinator", "agent-*", f"agent-{rng.randrange(agents)}"))

    def links(probability: float) -> LinkFault:
        return LinkFault(
            sender=name(),
            to=name(),
            messages=(rng.choice(KINDS),) if rng.random() < 0.4 else (),
            probability=round(rng.random() * probability, 3),
        )

    def spread(fault: LinkFault) -> dict[str, Any]:
        return {field: getattr(fault, field) for field in fault.__struct_fields__}

    def groups() -> tuple[tuple[str, ...], ...]:
        names = ["coordinator", *(f"agent-{agent}" for agent in range(agents))]
        rng.shuffle(names)
        cut = rng.randint(1, agents)
        return tuple(names[:cut]), tuple(names[cut:])

    def kill() -> Kill:
        coordinator = rng.random() < 0.25
        return Kill(
            process="coordinator" if coordinator else f"agent-{rng.randrange(agents)}",
            phase=rng.choice(COORDINATOR_PHASES if coordinator else AGENT_PHASES),
            round=rng.randrange(rounds) if rng.random() < 0.5 else None,
            after=rng.randint(1, 3),
            incarnation=rng.randint(1, 2),
        )

    def pause() -> Pause:
        death = kill()
        return Pause(
            process=death.process,
            phase=death.phase,
            after=death.after,
            incarnation=death.incarnation,
            seconds=round(rng.random() * 5.0, 2),
        )

    distributions: tuple[Literal["constant", "uniform", "exponential", "lognormal"], ...]
    distributions = ("constant", "uniform", "exponential", "lognormal")
    distribution = rng.choice(distributions)
    return FaultPlan(
        seed=rng.randrange(2**31),
        delay=tuple(
            Delay(**spread(links(1.0)), seconds=round(rng.random(), 3), distribution=distribution)
            for _ in some(2)
        ),
        drop=tuple(Drop(**spread(links(0.3))) for _ in some(2)),
        duplicate=tuple(Duplicate(**spread(links(0.5)), copies=rng.randint(1, 3)) for _ in some(1)),
        reorder=tuple(Reorder(**spread(links(0.5)), depth=rng.randint(1, 4)) for _ in some(1)),
        corrupt=tuple(Corrupt(**spread(links(0.2)), bits=rng.randint(1, 3)) for _ in some(1)),
        partition=tuple(
            Partition(
                groups=groups(),
                round=rng.randrange(rounds),
                seconds=round(rng.random() * 20.0, 2),
                one_way=rng.random() < 0.5,
            )
            for _ in some(1)
        ),
        pause=tuple(pause() for _ in some(1)),
        kill=tuple(kill() for _ in some(3)),
    )
