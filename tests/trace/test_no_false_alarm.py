"""Runs in which nothing is wrong are in order, however their messages met: the checker is itself checked."""

import os
from typing import Any

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.proof.check import check_trace
from bnpg.lab.proof.reference import check_reference
from bnpg.lab.testing.busy import busy_machine
from bnpg.trace.reading import read_trace
from tests.trace.conftest import Record

SEEDS = int(os.environ.get("BNPG_EDGES", "1"))
"""How many of each; `make edges` asks for more."""
CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "line",
    "rounds": 25,
    "lanes": 12,
    "horizon": 3,
}
MEETING = """
seed = {seed}
[[reorder]]
from = "agent-*"
to = "coordinator"
probability = 0.5
depth = 4
[[drop]]
from = "agent-*"
to = "coordinator"
probability = 0.2
[[delay]]
from = "*"
to = "*"
probability = 0.5
distribution = "uniform"
seconds = 0.01
"""
"""Gaps that are filled deliver several messages of a peer at once, which are then answered together."""


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_run_in_parts_is_in_order_whatever_was_answered_together(
    record: Record, parts: int, seed: int
) -> None:
    lanes = ("--lanes", "16", "--horizon", "3", "--rounds", "6", "--seed", str(seed))
    recorded = record(*lanes, "--parts", str(parts), plan=MEETING.format(seed=seed))
    assert recorded.check(reference=True).rounds == 6


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("transport", ["ipc", "tcp", "unix"])
def test_real_processes_on_a_busy_machine_are_in_order(
    transport: str, seed: int, start_run: Any, play: Any
) -> None:
    """Whoever waits for a core gets many messages at once; one of them is killed too."""
    case = CASE | {"seed": seed}
    settings = {"fsync": False, "transport": transport}
    with busy_machine():
        run = start_run(**case, parts=3, trace=True, settings=settings)
        run.until_round(5)
        run.kill("agent-1")
        assert run.wait() == ExitCode.DONE, run.log
    proof = check_trace(read_trace(run.trace_folder), True)
    check_reference(run.folder, proof)
    assert proof.rounds == case["rounds"]
    assert run.digest == play(**case).digest
