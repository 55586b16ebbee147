"""Kill processes of one run again and again, and count what that leaves behind.

    python -P -m bnpg.lab.testing.leaks FOLDER --kills 1000 --transport unix --seconds 3600

A run with real processes goes on and on while its coordinator and all agents but one are killed at random,
each time after a new round. Its launcher and that one agent live through all of it: their descriptors are
counted, and so are the sockets and temporary files of the run, its places in the shared memory of the
machine, and the processes. Then the run is interrupted, and its record must be that of the undisturbed run so
far.
"""

import argparse
import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.in_memory import play
from bnpg.lab.testing.run import Run, make_run
from bnpg.lab.testing.scratch import Scratch

CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "lanes": 2,
    "horizon": 2,
    "evaluate_every": 0,
    "rounds": 1_000_000,
}
VICTIMS = ("coordinator", "agent-0", "agent-1")
BYSTANDER = "agent-2"
WARM = 6
"""Kills before the first count: by then everything was opened once."""


def counts(run: Run, scratch: Scratch) -> dict[str, int]:
    """Count what a run and its processes hold just now."""
    processes = run.processes
    places = Path("/dev/shm").glob("bnpg-*")  # noqa: S108 (counted; what others keep there is none of ours)
    return {
        "descriptors of the launcher": run.launcher.num_fds(),
        f"descriptors of {BYSTANDER}": processes[BYSTANDER].num_fds(),
        "threads of the launcher": run.launcher.num_threads(),
        "processes": len(scratch.processes()),
        "sockets and temporary files": sum(1 for _ in scratch.path.rglob("*")),
        "shared memory": len(list(places)),
    }


def kill_again_and_again(
    folder: Path, scratch: Scratch, kills: int, transport: str, seed: int = 0, seconds: float = math.inf
) -> tuple[int, dict[str, int], dict[str, int], list[str]]:
    """Kill processes of a run; return how many, the counts before and after, and what is wrong at the end.

    Parameters
    ----------
    folder : Path
        Of the run; made here.
    scratch : Scratch
        Where its processes work.
    kills : int
        How many at the most, beside those before the first count.
    transport : str
    seed : int
        Decides who is killed.
    seconds : float
        After which nobody is killed any more.
    """
    end, done = time.monotonic() + seconds, 0
    draw = random.Random(seed)  # noqa: S311
    run = make_run(folder, scratch, {"fsync": False, "transport": transport}, CASE)
    run.start()
    try:
        before: dict[str, int] = {}
        for number in range(WARM + kills):
            _next_round(run)
            if number == WARM:
                before = _settled(run, scratch)
            elif number > WARM and time.monotonic() > end:
                break
            run.kill(draw.choice(VICTIMS) if number >= len(VICTIMS) else VICTIMS[number])
            done = number + 1 - WARM
        _next_round(run)
        after = _settled(run, scratch)
        run.interrupt()
        wrong = [] if run.wait() == ExitCode.INTERRUPTED else [f"it did not end as interrupted: {run.log}"]
        wrong += _compared(run)
    finally:
        run.end()
    return done, before, after, wrong


def _next_round(run: Run) -> None:
    """Wait until another round was recorded, by all processes of the run."""
    reached = run.recorded
    run.until(lambda: run.recorded > reached and len(run.processes) == 1 + 3, "another round was recorded")


def _settled(run: Run, scratch: Scratch) -> dict[str, int]:
    """Count when nothing is under way: two counts in a row that are alike."""
    seen: list[dict[str, int]] = []

    def alike() -> bool:
        seen.append(counts(run, scratch))
        return len(seen) > 1 and seen[-1] == seen[-2]

    run.until(alike, "the counts were alike twice")
    return seen[-1]


def _compared(run: Run) -> list[str]:
    """Return how what is recorded differs from what the undisturbed run records."""
    lines = run.lines
    given: dict[str, Any] = {key.replace("_", "-"): value for key, value in CASE.items()}
    whole = play(msgspec.convert(given | {"rounds": len(lines)}, Experiment))
    # The last line of a run that is over has an evaluation; one that was interrupted has none.
    return [] if lines[:-1] == whole.lines[: len(lines) - 1] else ["the record differs"]


def main() -> int:
    """Kill, count, and tell on stdout as an object what grew and what went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--transport", default="ipc", choices=("ipc", "tcp", "unix"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf)
    given = parser.parse_args()
    scratch = Scratch()
    try:
        kills, before, after, wrong = kill_again_and_again(
            given.folder / "run", scratch, given.kills, given.transport, given.seed, given.seconds
        )
        wrong += [f"left behind: {leak}" for leak in scratch.leaks()]
    finally:
        scratch.clear()
    grown = {what: (before[what], after[what]) for what in after if after[what] > before[what]}
    told = {"kills": kills, "transport": given.transport, "grown": grown, "wrong": wrong}
    sys.stdout.write(json.dumps(told) + "\n")
    return 5 if wrong or grown else 0


if __name__ == "__main__":
    sys.exit(main())
