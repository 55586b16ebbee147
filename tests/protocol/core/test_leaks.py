"""Steps that the core makes leave nothing behind."""

import gc
import os
import sys

import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol import core
from msgspec import structs

from bnpg.lab.testing.in_memory import setup_of
from bnpg.lab.testing.lockstep import COORDINATOR, Team

pytestmark = pytest.mark.skipif(core.name() == core.PYTHON, reason="the core is not compiled here")

HORIZON = 20
STEPS = int(os.environ.get("BNPG_CORE_STEPS", "2000"))
"""`make sanitize STEPS=1000000` makes a million."""
COMPARED = min(STEPS, 20_000)
"""Steps of the machines, which take longer and are no different after more."""
FEW = 490
"""Objects more or less, however many steps were made."""


def grown(compiled: bool, steps: int, relay: bool) -> int:
    """Play a run of many short rounds; return how many objects more there are at its end than half way."""
    rounds = max(8, steps // HORIZON)
    experiment = Experiment(
        game="climbing", dag="0-1", rounds=rounds, lanes=3, horizon=HORIZON, learning_rate=0.1
    )
    team = Team(structs.replace(setup_of(experiment, patience=1e9), relay=relay), compiled)
    blocks: dict[int, int] = {}
    for name in ("agent-0", "agent-1"):
        team.look(name)
    while len(team.stops) < 3:
        if not team.sent:
            team.now += 0.05
            for name in team.loops:
                team.look(name)
            continue
        team.arrive(team.sent.pop(0))
        team.said.clear()
        round_ = team.loops[COORDINATOR]._machine.status(0.0)["round"]
        if round_ in (rounds // 2, rounds - 1) and round_ not in blocks:
            gc.collect()
            blocks[round_] = sys.getallocatedblocks()
    assert (team.handled > rounds * HORIZON) == compiled
    return blocks[rounds - 1] - blocks[rounds // 2]


@pytest.mark.skipif(not sys.getallocatedblocks(), reason="Python's own allocator counts, and is not used")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("relay", [False, True])
def test_steps_leave_no_object_behind_that_the_machines_do_not(relay):
    """One in a hundred steps would show; a round that is over is forgotten by both."""
    left = (grown(True, STEPS, relay) - grown(False, COMPARED, relay) for _ in range(3))
    # Another thread may allocate something meanwhile, and not three times.
    assert any(objects < FEW for objects in left)
