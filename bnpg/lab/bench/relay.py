"""j. What a relay saves on the complete graph."""

from bnpg.lab.bench.document import Benchmark, Case, Sample, Target
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed, Workload, measure
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.words import counted

SIZES = {"full": (16, 24, 32, 62), "quick": (24,), "tiny": (3,)}
"""How many agents."""
TRANSPORTS = ("ipc", "unix")
TARGETS = {
    24: {"line": Target(sense="at most", ratio=1.5)},
    32: {"without": Target(sense="at most", ratio=1 / 3)},
    62: {"without": Target(sense="at most", ratio=31 / 333)},
}
"""By agents."""
MESSAGES = 10_000
"""In one round, so that large teams take no longer than they must."""
ABOUT = """\
The complete DAG with `--relay on`, where agents hand on what they heard (3N - 1 messages a step), and without
(2N + N(N - 1)/2), and the line beside it, which has as many messages as the relay and as many hops. One lane,
a random game of eight states, and a single action each, because the joint actions of 62 agents with two would
not fit anywhere. All sides take turns in one run, and both on the complete DAG come to the same bits."""


def relay(effort: Effort) -> Benchmark:
    """Measure."""
    cases = [_case(effort, agents, transport) for agents in SIZES[effort.sizes] for transport in TRANSPORTS]
    return Benchmark(letter="j", title="Relay", about=ABOUT, unit="a step", cases=cases)


def _case(effort: Effort, agents: int, transport: str) -> Case:
    game = f"random(states=8, agents={agents}, actions=1)"
    horizon = max(5, min(100, MESSAGES // (2 * agents + agents * (agents - 1) // 2)))

    def played(dag: str, relay: str) -> Sample:
        workload = Workload(game=game, dag=dag, horizon=horizon, rounds=3)
        return measure(workload, transport=transport, relay=relay)

    samples = take_turns(
        {
            "with a relay": lambda: played("complete", "on"),
            "without": lambda: played("complete", "off"),
            "line": lambda: played("line", "off"),
        },
        effort.repetitions,
        effort.budget,
    )
    if len({one.digest for side in ("with a relay", "without") for one in samples[side]}) != 1:
        raise BenchmarkFailed(f"{counted(agents, 'agent')}: a relay came to another policy")
    return Case(
        name=f"{counted(agents, 'agent')}, {transport}",
        parameters={"agents": agents, "dag": "complete", "transport": transport, "lanes": 1},
        samples=samples,
        ours="with a relay",
        targets=TARGETS.get(agents, {}),
    )
