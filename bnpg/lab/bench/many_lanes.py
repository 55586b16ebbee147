"""b. Many lanes: transitions a second, against one process."""

from bnpg_protocol import core

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
"""Share of the transitions a second of the plain loop, over ZeroMQ."""
UNIX_TARGETS = {("line", 4096): 0.32, ("empty", 4096): 0.36, ("line", 16384): 0.55, ("empty", 16384): 0.65}
CORE_TARGETS = {("line", 4096): 0.38, ("empty", 4096): 0.45}
"""The same over unix sockets, and with the compiled core, where that asks for more."""
MEMORY, PLAIN, LEARNING = "ours in memory", "plain numpy loop", "plain numpy loop that learns"
UNIX = "ours over unix sockets"
BITS = "plain numpy loop, this game only"
ABOUT = """\
`coordination(agents=5)` with many lanes, horizon 100. *In memory* are the same machines and messages in one
process. The *plain loop* is what anybody would write first in numpy: one process, no messages, one
generator for everything, nothing that could be replayed. It plays only, and draws the next states from the
game's table, as for any game; the targets are a share of its transitions a second. The one *that learns*
computes the update as well; the one for *this game only* knows that a state is five bits and flips them.
Ours is the whole round, update and storage included; *over unix sockets* it is the same run with `--transport
unix`, in the same turns, with targets of its own."""


def many_lanes(effort: Effort) -> Benchmark:
    """Measure."""
    sizes = [(dag, lanes) for lanes in LANES[effort.sizes] for dag in ("line", "empty")]
    cases = [case for size in sizes for case in _cases(effort, *size)]
    return Benchmark(letter="b", title="Many lanes", about=ABOUT, unit="a step", cases=cases)


def _cases(effort: Effort, family: str, lanes: int) -> list[Case]:
    workload = effort.sized(
        Workload(game=f"coordination(agents={AGENTS})", dag=family, lanes=lanes, horizon=HORIZON)
    )
    team = PlainTeam(FAMILIES[family](AGENTS), lanes, HORIZON)
    quicker = PlainTeam(FAMILIES[family](AGENTS), lanes, HORIZON, bits=True)
    samples = take_turns(
        {
            "ours": lambda: measure(workload),
            UNIX: lambda: measure(workload, transport="unix"),
            MEMORY: lambda: measure(workload, launcher="memory"),
            PLAIN: lambda: team.measure(effort.seconds / 2),
            LEARNING: lambda: team.measure(effort.seconds / 2, learn=True),
            BITS: lambda: quicker.measure(effort.seconds / 2),
        },
        effort.repetitions,
        effort.budget,
    )
    if len({sample.digest for side in ("ours", UNIX, MEMORY) for sample in samples[side]}) != 1:
        raise BenchmarkFailed(f"{family}, {lanes} lanes: two runs came to different policies")
    size = (family, lanes)
    over_unix = (CORE_TARGETS if core.name() == core.COMPILED else {}).get(size, UNIX_TARGETS.get(size))
    parameters: dict[str, str | int | float] = {
        "agents": AGENTS,
        "dag": family,
        "lanes": lanes,
        "horizon": HORIZON,
    }
    case = Case(
        name=f"{family}, {counted(lanes, 'lane')}",
        parameters=parameters,
        samples=samples,
        targets=_share(TARGETS.get(size)),
        lanes=lanes,
        messages=count_messages(workload),
    )
    unix = Case(
        name=f"{family}, {counted(lanes, 'lane')}, unix",
        parameters=parameters,
        samples={side: samples[side] for side in (UNIX, PLAIN)},
        ours=UNIX,
        targets=_share(over_unix),
        lanes=lanes,
    )
    return [case, unix]


def _share(least: float | None) -> dict[str, Target]:
    """Return the target of a share of the plain loop's transitions a second, as one of times."""
    return {} if least is None else {PLAIN: Target(sense="at most", ratio=1 / least)}
