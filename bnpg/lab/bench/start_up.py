"""f. Start-up: until a team is ready, and what an agent process weighs."""

import compileall
import os
import subprocess
import sys
import time
from collections.abc import Callable

import bnpg_agents
import bnpg_coordinator
import bnpg_protocol
import psutil

import bnpg
import bnpg_files
import bnpg_math
from bnpg.lab.bench.bare_topology import BareTopology
from bnpg.lab.bench.document import Benchmark, Case, Sample
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed, Workload, measure
from bnpg.lab.bench.turns import take_turns
from bnpg_math.dag import line

AGENTS = {"full": 8, "quick": 8, "tiny": 2}
GAME = "random(states=8, agents={agents}, actions=2)"
ROUNDS = 1000
"""Enough that processes are still there when they are weighed, in the second half, on a busy machine too."""
READY_WITHIN = 0.5
ABOUT = """\
*Ready* is from the call of the local launcher until the line of the first round is in the record: a
coordinator and eight agents are started as processes, greet, are welcomed, confirm their edges, and play a
round of one step on one lane. Modules are compiled to bytecode before, as installed ones are. The bare
processes import pyzmq and nothing else, and are ready when a message has passed through all of them.
*Imports* is a fresh interpreter that imports what an agent process imports, and ends; the other two import
nothing, or numpy and pyzmq only, which are most of it."""
IMPORTS = {
    "ours": "import bnpg_agents.__main__",
    "numpy and zmq": "import numpy, zmq",
    "nothing": "pass",
}
AGENT_LIMIT = 45e6
"""Bytes an agent may have resident."""


def start_up(effort: Effort) -> Benchmark:
    """Measure."""
    _compile()
    cases = [_team(effort), _imports(effort)]
    return Benchmark(letter="f", title="Start-up", about=ABOUT, unit="until ready", cases=cases)


def _compile() -> None:
    """Compile what processes import: with PYTHONDONTWRITEBYTECODE no run of a checkout does.

    Where the files cannot be written, imports are measured as they are.
    """
    for package in (bnpg, bnpg_agents, bnpg_coordinator, bnpg_files, bnpg_math, bnpg_protocol):
        compileall.compile_dir(os.path.dirname(package.__file__ or ""), quiet=2)


def _team(effort: Effort) -> Case:
    agents = AGENTS[effort.sizes]
    workload = Workload(game=GAME.format(agents=agents), dag="line", lanes=1, horizon=1, rounds=ROUNDS)

    def ours() -> Sample:
        sample = measure(workload)
        if sample.ready_seconds is None:
            raise BenchmarkFailed("the run recorded no round")
        sample.seconds = sample.ready_seconds
        sample.cpu_seconds = sample.switches = None
        return sample

    def bare() -> Sample:
        started = time.perf_counter()
        with BareTopology.graph(line(agents), 64) as team:
            team.step()
            return Sample(seconds=time.perf_counter() - started)

    return Case(
        name=f"{agents} agents ready",
        parameters={"agents": agents, "dag": "line"},
        samples=take_turns({"ours": ours, "bare pyzmq processes": bare}, effort.repetitions, effort.budget),
        limits={"seconds": READY_WITHIN, "agent_resident_bytes": AGENT_LIMIT},
    )


def _imports(effort: Effort) -> Case:
    sides: dict[str, Callable[[], Sample]] = {
        name: lambda program=program: _run(program)  # type: ignore[misc]
        for name, program in IMPORTS.items()
    }
    return Case(
        name="imports of an agent process",
        parameters={},
        samples=take_turns(sides, effort.repetitions, effort.budget),
    )


def _run(program: str) -> Sample:
    """Run a program in an interpreter of its own, and weigh it before it ends."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", f"{program}\nprint(flush=True)\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        sample = Sample(seconds=time.perf_counter() - started)
        look = psutil.Process(process.pid)
        times, memory = look.cpu_times(), look.memory_full_info()
        sample.cpu_seconds = times.user + times.system
        sample.agent_bytes, sample.agent_resident_bytes = float(memory.uss), float(memory.rss)
        process.communicate(b"\n")
    return sample
