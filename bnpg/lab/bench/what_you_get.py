"""i. What a user gets: steps a second by worlds, agents, lanes and transports."""

from bnpg.lab.bench.document import Benchmark, Case
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed, Workload, measure
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.words import counted

TRANSPORTS = ("ipc", "unix", "tcp")
MEMORY = "in memory"
COORDINATION, RELAY = "coordination(agents=5)", "relay(T=25)"
SIZES = {
    "full": (
        (COORDINATION, 5, 1),
        ("coordination(agents=10)", 10, 1),
        (COORDINATION, 5, 4096),
        (RELAY, 4, 1024),
    ),
    "quick": ((COORDINATION, 5, 1), (COORDINATION, 5, 4096), (RELAY, 4, 1024)),
    "tiny": (("coordination(agents=2)", 2, 2), (RELAY, 4, 2)),
}
"""World, how many agents play it, lanes."""
ABOUT = """\
Whole rounds on the line DAG, as a person starts them: processes that speak over ZeroMQ (`--transport ipc`,
the default, and `tcp`) or over stream sockets (`unix`), and the same run in one process (`--launcher
memory`). `relay` is a bundled simulator. All sides take turns in one run, and all come to the same bits."""


def what_you_get(effort: Effort) -> Benchmark:
    """Measure."""
    cases = [_case(effort, *size) for size in SIZES[effort.sizes]]
    return Benchmark(letter="i", title="Transports", about=ABOUT, unit="a step", cases=cases)


def _case(effort: Effort, world: str, agents: int, lanes: int) -> Case:
    workload = effort.sized(
        Workload(game=world, dag="line", lanes=lanes, horizon=100, simulated=world == RELAY)
    )
    samples = take_turns(
        {name: lambda name=name: measure(workload, transport=name) for name in TRANSPORTS}
        | {MEMORY: lambda: measure(workload, launcher="memory")},
        effort.repetitions,
        effort.budget,
    )
    if len({sample.digest for side in samples.values() for sample in side}) != 1:
        raise BenchmarkFailed(f"{world}, {counted(lanes, 'lane')}: two transports came to different policies")
    return Case(
        name=f"{world}, {counted(lanes, 'lane')}",
        parameters={"world": world, "agents": agents, "dag": "line", "lanes": lanes},
        samples=samples,
        ours=TRANSPORTS[0],
        lanes=lanes,
    )
