"""What the coordinator does for a team grows with its agents, and not with their square."""

import sys
from collections import Counter
from functools import partial
from types import FrameType
from typing import Any

from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.experiment_plan import plan_experiment
from bnpg.lab.testing.in_memory import setup_of_plan
from bnpg.launchers.cluster import COORDINATOR, Cluster

FEW, MANY = 16, 64
LEAST = 3000
"""Opcodes below which a function's growth says nothing."""


def opcodes(agents: int) -> Counter[str]:
    """Return the opcodes of the coordinator's functions in a run of one round of a line."""
    plan = plan_experiment(
        {"game": f"relay(agents={agents})", "dag": "line", "rounds": 1, "lanes": 2, "steps": 2}
    )
    counted: Counter[str] = Counter()

    def of_coordinator(frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if "bnpg_coordinator" not in code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        where = f"{code.co_filename}:{code.co_firstlineno} {code.co_name}"

        def each(_frame: FrameType, event: str, _arg: Any) -> Any:
            if event == "opcode":
                counted[where] += 1
            return each

        return each

    cluster = Cluster(partial(setup_of_plan, plan), lambda _effect: None, [{} for _ in range(agents)])
    before = sys.gettrace()
    sys.settrace(of_coordinator)
    try:
        cluster.simulation.run()
    finally:
        sys.settrace(before)
    assert cluster.simulation.stops[COORDINATOR].code == ExitCode.DONE
    return counted


def test_no_function_of_the_coordinator_grows_faster_than_the_team() -> None:
    few, many = opcodes(FEW), opcodes(MANY)
    faster = {
        where: (few[where], many[where])
        for where in many
        if many[where] > LEAST and many[where] > 1.3 * MANY / FEW * few[where]
    }
    assert not faster
