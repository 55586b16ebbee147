"""e. How cost grows: with agents and edges, with lanes, with states."""

from bnpg.lab.bench.counted_messages import count_messages
from bnpg.lab.bench.document import Benchmark, Case, Sample
from bnpg.lab.bench.effort import SHORT, Effort
from bnpg.lab.bench.measured_run import Workload, measure
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.words import counted
from bnpg_math.dag import FAMILIES

AGENTS = {"full": (1, 2, 4, 8, 16, 32, 62), "quick": (1, 4, 16), "tiny": (2,)}
LANES = {"full": (1, 16, 256, 1024, 4096, 16384), "quick": (1, 256, 4096), "tiny": (4,)}
STATES = {"full": (8, 100, 1000, 10_000, 100_000), "quick": (8, 10_000), "tiny": (8,)}
EVERY = ("empty", "star", "line", "complete")
DAGS = {"tiny": ("star",)}
MESSAGES = 10_000
"""In one round, so that large teams take no longer than they must."""
ACTIONS, TEAM = 2, 3
"""Of the sparse games."""
ABOUT = """\
Only ours, to see what cost follows. *Agents*: as many processes on whatever cores there are, one lane, a
random game of eight states; every agent has a single action, because the joint actions of 62 agents with
two would not fit anywhere, so this is the cost of processes and messages alone. 62 is what the axes of a
numpy array allow. As long as there are cores, the time of a step should follow the depth of the DAG; on
fewer cores than processes it follows their work, that is the messages. *Lanes*: `coordination(agents=5)`,
line. *States*: three agents with two actions, line, 256 lanes, three successors of each state and joint
action, kept sparse. An agent's memory should follow its own table, and neither the number of agents nor the
size of the joint problem."""


def growth(effort: Effort) -> Benchmark:
    """Measure."""
    cases = [
        _agents(effort, agents, dag)
        for agents in AGENTS[effort.sizes]
        for dag in DAGS.get(effort.sizes, EVERY)
    ]
    cases += [_lanes(effort, lanes) for lanes in LANES[effort.sizes]]
    cases += [_states(effort, states) for states in STATES[effort.sizes]]
    return Benchmark(letter="e", title="How cost grows", about=ABOUT, unit="a step", cases=cases)


def _rounds(effort: Effort, rounds: int) -> int:
    return SHORT if effort.sizes == "tiny" else rounds


def _repetitions(effort: Effort) -> int:
    return max(1, effort.repetitions // 3)


def _agents(effort: Effort, agents: int, dag: str) -> Case:
    game = f"random(states=8, agents={agents}, actions=1)"
    each = 2 * agents + len(FAMILIES[dag](agents).edges)
    horizon = max(5, min(100, MESSAGES // each))
    workload = Workload(game=game, dag=dag, horizon=horizon, rounds=_rounds(effort, 4))
    return Case(
        name=f"{counted(agents, 'agent')}, {dag}",
        parameters={"grows": "agents", "agents": agents, "dag": dag},
        samples=_measured(workload, _repetitions(effort)),
        messages=count_messages(workload, steps=max(16, 256 // agents)),
    )


def _lanes(effort: Effort, lanes: int) -> Case:
    rounds = _rounds(effort, 6)
    workload = Workload(game="coordination(agents=5)", dag="line", lanes=lanes, horizon=50, rounds=rounds)
    return Case(
        name=counted(lanes, "lane"),
        parameters={"grows": "lanes", "lanes": lanes, "dag": "line"},
        samples=_measured(workload, _repetitions(effort)),
        messages=count_messages(workload),
        lanes=lanes,
    )


def _states(effort: Effort, states: int) -> Case:
    game = f"random(states={states}, agents={TEAM}, actions={ACTIONS}, branching=3)"
    workload = Workload(game=game, dag="line", lanes=256, horizon=50, rounds=_rounds(effort, 6))
    return Case(
        name=counted(states, "state"),
        parameters={"grows": "states", "states": states, "dag": "line"},
        samples=_measured(workload, _repetitions(effort)),
        lanes=256,
    )


def _measured(workload: Workload, repetitions: int) -> dict[str, list[Sample]]:
    return take_turns({"ours": lambda: measure(workload)}, repetitions)
