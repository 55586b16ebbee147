"""How many messages a step takes, and how large they are: counted where nothing depends on time."""

from collections import Counter
from functools import partial
from typing import Any

import msgspec
from bnpg_protocol.process.transport.memory import Delivery, MemoryNetwork
from bnpg_protocol.wire.codec import encode
from bnpg_protocol.wire.envelope import Envelope

from bnpg.experiment_plan import plan_experiment
from bnpg.lab.bench.document import Messages
from bnpg.lab.bench.measured_run import Workload
from bnpg.lab.testing.in_memory import setup_of_plan
from bnpg.launchers.cluster import Cluster


class CountingNetwork(MemoryNetwork):
    """A network in memory that counts what it delivers."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def deliver(self) -> Delivery | None:
        """Deliver the next envelope."""
        delivery = super().deliver()
        if delivery is not None:
            self._count(delivery.envelope)
        return delivery

    def _count(self, envelope: Envelope) -> None:
        kind = type(envelope.message).__name__
        self.messages[kind] += 1
        self.bytes[kind] += sum(len(frame) for frame in encode(envelope))


def count_messages(workload: Workload, steps: int = 256) -> Messages:
    """Return what travels in one step: the difference between a longer and a shorter run of one round.

    Parameters
    ----------
    workload : Workload
    steps : int
        By how many the two differ. Acknowledgements that travel alone are rare, and counted well only if
        these are many.
    """
    short, long = (_counted(workload, horizon) for horizon in (steps, 2 * steps))
    kinds = [kind for kind, count in long.messages.items() if count != short.messages[kind]]
    return Messages(
        by_kind={kind: (long.messages[kind] - short.messages[kind]) / steps for kind in kinds},
        bytes_by_kind={
            kind: (long.bytes[kind] - short.bytes[kind]) / (long.messages[kind] - short.messages[kind])
            for kind in kinds
        },
    )


def _counted(workload: Workload, horizon: int) -> CountingNetwork:
    """Play one round."""
    plan = plan_experiment(msgspec.structs.replace(workload, horizon=horizon, rounds=1).experiment())
    network = CountingNetwork()
    cluster = Cluster(
        partial(setup_of_plan, plan), _nothing, [{} for _ in range(plan.dag.agents)], network=network
    )
    cluster.simulation.run()
    return network


def _nothing(_effect: Any) -> None:
    """Nobody wants the record."""
