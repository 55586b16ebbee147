"""h. Bundled simulators: a whole run in memory, against one process that plays them alone."""

from bnpg.lab.bench.document import Benchmark, Case, Target
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed, Workload, measure
from bnpg.lab.bench.plain_networks import PlainNetworks
from bnpg.lab.bench.plain_players import PlainPlayers
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.words import counted
from bnpg_math.dag import FAMILIES

STEPS = 100
LANES = {"full": 1024, "quick": 1024, "tiny": 8}
WORLDS = {"relay(T=25)": 4, "coordination(agents=5, T=25)": 5, "aloha": 10}
"""Simulators that have finitely many things to see, and how many agents play them."""
OF_NUMBERS = {"assign": 4, "spread": 3}
"""Simulators that show numbers, which networks see."""
HIDDEN = (64, 64)
STEPS_OF_NETWORKS = 25
PLAIN, LEARNING = "plain numpy loop", "plain numpy loop that learns"
ABOUT = """\
Bundled simulators with 1,024 lanes on the line DAG. Policies are tables, but for those that show numbers:
there each agent has a network (`mlp:64,64`) and follows the same gradient. Ours is the whole round *in
memory*, in one process: steps, update (3), checks, storage. The *plain loop* plays the same simulator in
one process as anybody would write it: no messages, one generator for everything, nothing that could be
replayed. The one *that learns* computes the update as well; the target is about that one, which does the
same work. Turns take the short way in memory: nothing is put into envelopes."""


def simulators(effort: Effort) -> Benchmark:
    """Measure."""
    cases = [_case(effort, world, agents, "table") for world, agents in WORLDS.items()]
    policy = "mlp:" + ",".join(map(str, HIDDEN))
    cases += [_case(effort, world, agents, policy) for world, agents in OF_NUMBERS.items()]
    return Benchmark(letter="h", title="Simulators", about=ABOUT, unit="a step", cases=cases)


def _case(effort: Effort, world: str, agents: int, policy: str) -> Case:
    lanes, dag = LANES[effort.sizes], FAMILIES["line"](agents)
    steps = STEPS if policy == "table" else STEPS_OF_NETWORKS
    workload = effort.sized(
        Workload(game=world, dag="line", lanes=lanes, horizon=steps, simulated=True, policy=policy),
        launcher="memory",
    )
    players: PlainPlayers | PlainNetworks
    if policy == "table":
        players = PlainPlayers(world, dag, lanes, workload.horizon)
    else:
        players = PlainNetworks(world, dag, HIDDEN, lanes, workload.horizon)
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
        parameters={
            "agents": agents,
            "dag": "line",
            "lanes": lanes,
            "steps": workload.horizon,
            "policy": policy,
        },
        samples=samples,
        targets={LEARNING: Target(sense="at most", ratio=2.0)},
        lanes=lanes,
    )
