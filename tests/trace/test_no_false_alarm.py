"""Runs in which nothing is wrong are in order, however their messages met: the checker is itself checked."""

import os

import pytest

from tests.trace.conftest import Record

SEEDS = int(os.environ.get("BNPG_EDGES", "1"))
"""How many of each; `make edges` asks for more."""
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
