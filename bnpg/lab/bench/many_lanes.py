"""b. Many lanes: transitions a second, against one process."""

from bnpg.lab.bench.counted_messages import count_messages
from bnpg.lab.bench.document import Benchmark, Case, Target
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed, Workload, measure
from bnpg.lab.bench.plain_team import PlainTeam
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.words import counted
from bnpg_math.dag import FAMILIES

AGENTS = 5
HORIZON = 100
LANES = {"full": (256, 4096, 16384), "quick": (4096,), "tiny": (8,)}
TARGETS = {("line", 4096): 0.35, ("empty", 4096): 0.5, ("line", 16384): 0.5, ("empty", 16384): 0.6}
"""Share of the transitions a second of the plain loop."""
MEMORY, PLAIN, LEARNING = "ours in memory", "plain numpy loop", "plain numpy loop that learns"
BITS = "plain numpy loop, this game only"
ABOUT = """\
`coordination(agents=5)` with many lanes, horizon 100. *In memory* are the same machines and messages in one
process. The *plain loop* is what anybody would write first in numpy: one process, no messages, one
generator for everything, nothing that could be replayed. It plays only, and draws the next states from the
game's table, as for any game; the targets are a share of its transitions a second. The one *that learns*
computes the update as well; the one for *this game only* knows that a state is five bits and flips them.
Ours is the whole round, update and storage included."""


def many_lanes(effort: Effort) -> Benchmark:
    """Measure."""
    cases = [_case(effort, dag, lanes) for lanes in LANES[effort.sizes] for dag in ("line", "empty")]
    return Benchmark(letter="b", title="Many lanes", about=ABOUT, unit="a step", cases=cases)


def _case(effort: Effort, family: str, lanes: int) -> Case:
    workload = effort.sized(
        Workload(game=f"coordination(agents={AGENTS})", dag=family, lanes=lanes, horizon=HORIZON)
    )
    team = PlainTeam(FAMILIES[family](AGENTS), lanes, HORIZON)
    quicker = PlainTeam(FAMILIES[family](AGENTS), lanes, HORIZON, bits=True)
    samples = take_turns(
        {
            "ours": lambda: measure(workload),
            MEMORY: lambda: measure(workload, launcher="memory"),
            PLAIN: lambda: team.measure(effort.seconds / 2),
            LEARNING: lambda: team.measure(effort.seconds / 2, learn=True),
            BITS: lambda: quicker.measure(effort.seconds / 2),
        },
        effort.repetitions,
        effort.budget,
    )
    if len({sample.digest for side in ("ours", MEMORY) for sample in samples[side]}) != 1:
        raise BenchmarkFailed(f"{family}, {lanes} lanes: two runs came to different policies")
    share = TARGETS.get((family, lanes))
    return Case(
        name=f"{family}, {counted(lanes, 'lane')}",
        parameters={"agents": AGENTS, "dag": family, "lanes": lanes, "horizon": HORIZON},
        samples=samples,
        targets={} if share is None else {PLAIN: Target(sense="at most", ratio=1 / share)},
        lanes=lanes,
        messages=count_messages(workload),
    )
