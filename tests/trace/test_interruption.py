"""A run that is ended in the middle of a round is in order, whoever answers after that."""

from pathlib import Path

import msgspec
import pytest
from bnpg_coordinator.effects import Conclude
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.recorder import TraceRecorder
from bnpg_protocol.wire.effects import Effect
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.proof.check import check_trace
from bnpg.lab.testing.in_memory import setup_of
from bnpg.launchers.cluster import Cluster
from bnpg.trace.reading import read_trace

EXPERIMENT = Experiment(
    game="random(agents=3, states=2, actions=2, branching=2)", dag="0-1,2-1", rounds=6, lanes=3, horizon=2,
    evaluate_every=0,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_answers_that_come_after_the_end_change_nothing(seed: int, tmp_path: Path) -> None:
    """The coordinator is interrupted while all that is missing of a round is on its way to it."""
    setup = setup_of(EXPERIMENT)
    cluster = Cluster(
        lambda generation: msgspec.structs.replace(setup, generation=generation),
        lambda _effect: None,
        [{} for _ in range(3)],
        seed=seed,
        trace=lambda life: TraceRecorder(tmp_path / "trace", life),
    )
    simulation, coordinator = cluster.simulation, cluster.coordinator
    while coordinator.status(simulation.now)["round"] < 3 or coordinator._rounds.place[1] < 2:
        assert simulation.step()
    simulation._act("coordinator", coordinator.end(ExitCode.INTERRUPTED, "interrupted", simulation.now))
    while simulation.running and simulation.step():
        pass
    cluster.close_traces()
    assert simulation.stops["coordinator"].code == ExitCode.INTERRUPTED
    assert check_trace(read_trace(tmp_path / "trace"), done=False).state == "interrupted"


@pytest.mark.parametrize("seed", range(4))
def test_nothing_says_that_a_run_is_over_before_its_trace_does(seed: int, tmp_path: Path) -> None:
    """Killed right behind its last word, it is done, and its trace must be that of a run that is done."""
    setup = setup_of(EXPERIMENT)
    proofs = []

    def perform(effect: Effect) -> None:
        if isinstance(effect, Conclude):
            proofs.append(check_trace(read_trace(tmp_path / "trace"), done=True))

    cluster = Cluster(
        lambda generation: msgspec.structs.replace(setup, generation=generation),
        perform,
        [{} for _ in range(3)],
        seed=seed,
        trace=lambda life: TraceRecorder(tmp_path / "trace", life),
    )
    while cluster.simulation.running and cluster.simulation.step():
        pass
    cluster.close_traces()
    assert [proof.state for proof in proofs] == ["done"]
