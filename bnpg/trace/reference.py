"""The oracle of a trace: the same run in memory, without a fault."""

from pathlib import Path
from typing import Any

import msgspec

from agents.effects import Store
from agents.learner import digest
from bnpg.launchers.cluster import Cluster
from bnpg.trace.check import Proof
from bnpg.trace.reading import Violation
from coordinator.effects import Gathered
from coordinator.loading import load_setup
from protocol.effects import Effect


def check_reference(folder: Path, proof: Proof) -> None:
    """Prove that every theta of a trace is the one the fault-free run in memory comes to.

    Parameters
    ----------
    folder : Path
        The run folder.
    proof : Proof
        What the trace proved of itself.

    Raises
    ------
    InputError
        If the folder's experiment cannot be read.
    Violation
        If a theta differs.
    """
    setup = load_setup(folder, 0, patience=1e9)
    rounds = max((max(digests) for digests in proof.digests.values() if digests), default=0)
    if rounds == 0:
        return
    experiment = msgspec.structs.replace(setup.experiment, rounds=rounds, evaluate_every=0, save_policy=False)
    setup = msgspec.structs.replace(setup, experiment=experiment, admission=None)
    expected: list[dict[int, str]] = [{} for _ in range(setup.dag.agents)]
    thetas: list[dict[int, Any]] = [_Digesting(kept) for kept in expected]
    cluster = Cluster(
        lambda generation: msgspec.structs.replace(setup, generation=generation),
        _ignore,
        thetas,
        patience=1e9,
    )
    cluster.simulation.run()
    for agent, digests in proof.digests.items():
        for round_, found in digests.items():
            known = expected[agent].get(round_)
            if known != found:
                raise Violation(f"theta_{round_} of agent-{agent} is {found}, in memory it comes to {known}")


class _Digesting(dict[int, Any]):
    """Thetas by round, of which every digest is kept."""

    def __init__(self, digests: dict[int, str]) -> None:
        super().__init__()
        self._digests = digests

    def __setitem__(self, round_: int, theta: Any) -> None:
        self._digests[round_] = digest(theta)
        super().__setitem__(round_, theta)


def _ignore(effect: Effect) -> None:
    assert not isinstance(effect, (Store, Gathered))
