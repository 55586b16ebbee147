"""h. Bundled simulators: a whole run in memory, against one process that plays them alone."""

from bnpg.lab.bench.document import Benchmark, Case, Target
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed, Workload, measure
from bnpg.lab.bench.plain_players import PlainPlayers
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.words import counted
from bnpg_math.dag import FAMILIES

STEPS = 100
LANES = {"full": 1024, "quick": 1024, "tiny": 8}
WORLDS = {"relay(T=25)": 4, "coordination(agents=5, T=25)": 5, "aloha": 10}
"""Simulators that have finitely many things to see, and how many agents play them."""
PLAIN, LEARNING = "plain numpy loop", "plain numpy loop that learns"
ABOUT = """\
Bundled simulators with 1,024 lanes on the line DAG, tables as policies. Ours is the whole round *in memory*,
in one process: steps, update (3), checks, storage. The *plain loop* plays the same simulator in one process
with tables as anybody would write it: no messages, one generator for everything, nothing that could be
replayed. The one *that learns* computes the update as well; the target is about that one, which does the same
work. Turns take the short way in memory: nothing is put into envelopes."""


def simulators(effort: Effort) -> Benchmark:
    """Measure."""
    cases = [_case(effort, world, agents) for world, agents in WORLDS.items()]
    return Benchmark(letter="h", title="Simulators", about=ABOUT, unit="a step", cases=cases)


def _case(effort: Effort, world: str, agents: int) -> Case:
    lanes = LANES[effort.sizes]
    workload = effort.sized(
        Workload(game=world, dag="line", lanes=lanes, horizon=STEPS, simulated=True), launcher="memory"
    )
    players = PlainPlayers(world, FAMILIES["line"](agents), lanes, workload.horizon)
    samples = take_turns(
        {
            "ours": lambda: measure(workload, launcher="memory"),
            PLAIN: lambda: players.measure(effort.seconds / 2),
            LEARNING: lambda: players.measure(effort.seconds / 2, learn=True),
        },
        effort.repetitions,
        effort.budget,
    )
    if len({sample.digest for sample in samples["ours"]}) != 1:
        raise BenchmarkFailed(f"{world}: two runs came to different policies")
    return Case(
        name=f"{world}, {counted(lanes, 'lane')}",
        parameters={"agents": agents, "dag": "line", "lanes": lanes, "steps": workload.horizon},
        samples=samples,
        targets={LEARNING: Target(sense="at most", ratio=2.0)},
        lanes=lanes,
    )
