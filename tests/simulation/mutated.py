"""Plays schedules until one shows that something is broken; run as a program, with a mutant in its path.

`mutated.py OVERLAY MODULE SCHEDULES` says what was noticed, or nothing. `mutated.py OVERLAY MODULE gap` says
how many virtual seconds a run takes that loses one message, and its digest. `mutated.py OVERLAY MODULE
FOLDER` records the trace of a run in a folder, and says the digest of its policy.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.faults.plan import Delay, Drop, FaultPlan, Kill
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.root import bnpg
from bnpg.lab.soak import simulate
from bnpg.lab.soak.promise import broken_promise
from bnpg.lab.soak.schedule import Schedule, draw_schedule
from bnpg.lab.testing.liars import Lie, lying

SMALL = Experiment(game="random(agents=2, states=2, actions=2, branching=2)", rounds=3, lanes=2, horizon=2)

RELAYED = Experiment(
    game="random(agents=4, states=2, actions=2, branching=2)",
    dag="complete",
    rounds=3,
    lanes=2,
    horizon=2,
)
LIES = (Lie(agent=2, to=3, of=0), Lie(agent=0, to=1, of=0, turn=1))
"""Of a relay, and of a parent that tells its child something else than the coordinator."""

AIMED = (
    # An action of the first epoch arrives in the second.
    FaultPlan(
        delay=(
            Delay(sender="agent-0", to="coordinator", distribution="constant", seconds=3.0, rounds=(1, 1)),
        ),
        kill=(Kill(process="agent-1", phase="states", round=1),),
    ),
    # The coordinator dies when everybody has the signal and before anything else.
    FaultPlan(kill=(Kill(process="coordinator", phase="signalling", round=1, after=2),)),
    # An agent has applied the signal and must replay the round for the other, which has not.
    FaultPlan(kill=(Kill(process="agent-1", phase="signal", round=1),)),
)
"""Plans made for mutants that random ones meet too seldom."""


def noticed(schedules: int) -> str:
    """Return what the first schedule shows that breaks the promise; empty if none does."""
    simulate.LONGEST = 50_000
    for lie in LIES:
        try:
            if not found_out(lie):
                return f"agent {lie.agent} lied to agent {lie.to} about agent {lie.of}, and nobody noticed"
        except Exception as error:
            return repr(error)
    aimed = [Schedule(SMALL, plan, order) for plan in AIMED for order in range(4)]
    for schedule in (*aimed, *map(draw_schedule, range(schedules))):
        try:
            why = broken_promise(schedule)
        except Exception as error:  # not even the fault-free twin survives
            why = repr(error)
        if why is not None:
            return why
    return ""


def found_out(lie: Lie) -> bool:
    """Whether a run with a relay ends because of a lie, and names both of whom one lies."""
    with lying(lie):
        result = simulate.simulate(RELAYED, relay=True)
    code, why = result.stops["coordinator"]
    return code == ExitCode.PROTOCOL and f"agent {lie.agent} or agent {lie.to} lies" in why


def gap() -> str:
    """Return how long it takes to repair a loss in mid-stream, and what the run comes to."""
    # This link carries Hello, EdgesConfirmed, and the actions of two parts: some are lost, others follow.
    lost = FaultPlan(drop=(Drop(sender="agent-0", to="coordinator", positions=(3,)),))
    result = simulate.simulate(Experiment(game=SMALL.game, rounds=2, lanes=8, parts=2, horizon=2), lost)
    return f"{result.seconds} {result.digest}"


def trace(folder: Path) -> str:
    """Record the trace of a run; return its digest."""
    game = "random(agents=2, states=2, actions=2, branching=2)"
    options = [
        "--rounds",
        "3",
        "--lanes",
        "2",
        "--horizon",
        "2",
        "--trace",
        "--quiet",
        "--launcher",
        "memory",
    ]
    bnpg.main(["train", game, *options, "--out", str(folder)], standalone_mode=False)
    return str(json.loads((folder / "summary.json").read_text())["policy_digest"])


if __name__ == "__main__":
    overlay, module, what = sys.argv[1:]
    assert Path(str(import_module(module).__file__)).is_relative_to(overlay), "the mutant is not played"
    print(gap() if what == "gap" else noticed(int(what)) if what.isdigit() else trace(Path(what)))
