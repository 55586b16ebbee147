"""A disk that is full, wherever it strikes, ends a run with that reason and leaves nothing half done."""

import pytest
from bnpg_agents.effects import Store
from bnpg_coordinator.effects import Conclude, Gathered, Record, Rewind, SyncRecord
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.in_memory import setup_of
from bnpg.launchers.cluster import Cluster

EXPERIMENT = Experiment(
    game="coordination(agents=3)", rounds=4, lanes=3, horizon=2, evaluate_every=2, save_policy=True
)


class FullDisk(Cluster):
    """A cluster in which one agent cannot store one theta."""

    def __init__(self, perform, round_=None):
        self._round = round_
        super().__init__(lambda _: setup_of(EXPERIMENT), perform, [{}, {}, {}])

    def _performer_of(self, agent):
        perform = super()._performer_of(agent)

        def failing(effect):
            if agent == 1 and isinstance(effect, Store) and effect.round == self._round:
                raise StorageFailed("No space left on device")
            perform(effect)

        return failing


@pytest.mark.parametrize("round_", [0, 1, 3])
def test_an_agent_that_cannot_store_its_theta_never_says_it_applied_the_update(round_):
    lines = []
    cluster = FullDisk(lambda effect: lines.append(effect) if isinstance(effect, Record) else None, round_)
    cluster.simulation.run()
    assert max(cluster.thetas[1], default=-1) == round_ - 1
    assert len(lines) == round_, "the round that was not applied by everybody is the last"
    assert cluster.simulation.stops["coordinator"].code == ExitCode.STORAGE
    assert "agent 1 failed: No space left" in cluster.simulation.stops["coordinator"].why
    assert cluster.simulation.stops["agent-1"].code == ExitCode.STORAGE


@pytest.mark.parametrize(
    ("kind", "number"),
    [(Rewind, 0), (Record, 0), (Record, 2), (Record, 4), (SyncRecord, 1), (Gathered, 0), (Conclude, 0)],
)
def test_a_coordinator_that_cannot_write_ends_and_lets_nobody_go_beyond_its_record(kind, number):
    seen, recorded = [], []

    def perform(effect):
        if isinstance(effect, kind):
            seen.append(effect)
            if len(seen) == number + 1:
                raise StorageFailed("No space left on device")
        if isinstance(effect, Record):
            recorded.append(effect.line.round)

    cluster = FullDisk(perform)
    cluster.simulation.run()
    assert cluster.simulation.stops["coordinator"].code == ExitCode.STORAGE
    applied = max(max(held) for held in cluster.thetas)
    assert applied <= len(recorded)
    assert set(cluster.simulation.stops) == {"coordinator", "agent-0", "agent-1", "agent-2"}
