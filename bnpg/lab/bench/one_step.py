"""a. One environment step: five agents in a line, one lane, against the bare sockets."""

from bnpg.lab.bench.bare_topology import BareTopology, hops_of
from bnpg.lab.bench.counted_messages import count_messages
from bnpg.lab.bench.document import Benchmark, Case, Target
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import Workload, measure
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.undecided_team import UndecidedTeam
from bnpg_math.dag import line

AGENTS = 5
HORIZON = 500
RING, GRAPH, UNIX = "bare pyzmq ring", "bare pyzmq, every message", "ours over unix sockets"
SENT, READ = "unix, messages sent", "unix, messages sent and read"
ABOUT = """\
One step of `coordination(agents=5)` on the line DAG with one lane: the coordinator announces the state to
all five agents, agent i acts once it knows the action of agent i-1, and every agent tells its action to the
next one and to the coordinator. The floor is a ring of bare pyzmq processes (PUSH and PULL over ipc,
blocking) that pass on messages of the same size, one at a time. The ring has as many hops as the longest
chain of a step: coordinator to agent 0, four edges, agent 4 to coordinator, so six. It is *not* given the
other eight messages of a step, which our processes handle as well; "every message" is the same bare
processes with all fourteen. *Over unix sockets* is the same run with `--transport unix`, in the same turns;
what that cannot go below in Python are the same fourteen messages by our transport (*sent*) and codec (*and
read*), in processes that decide nothing. The compiled core has a transport and a codec of its own.
Ours is the whole round divided by its steps, from the run record: checks, randomness, the environment,
acknowledgements, the shared signal, the update and its storage are in it."""


def one_step(effort: Effort) -> Benchmark:
    """Measure."""
    workload = effort.sized(
        Workload(game=f"coordination(agents={AGENTS})", dag="line", lanes=1, horizon=HORIZON)
    )
    messages = count_messages(workload)
    payload = round(messages.bytes_by_kind["ActionsChosen"])
    dag = line(AGENTS)
    with (
        BareTopology.ring(hops_of(dag), payload) as ring,
        BareTopology.graph(dag, payload) as graph,
        UndecidedTeam(dag, reads=False) as sent,
        UndecidedTeam(dag, reads=True) as read,
    ):
        samples = take_turns(
            {
                "ours": lambda: measure(workload),
                UNIX: lambda: measure(workload, transport="unix"),
                RING: lambda: ring.measure(effort.seconds),
                GRAPH: lambda: graph.measure(effort.seconds),
                SENT: lambda: sent.measure(effort.seconds),
                READ: lambda: read.measure(effort.seconds),
            },
            2 * effort.repetitions,
            3 * effort.budget,
        )
    parameters: dict[str, str | int | float] = {
        "agents": AGENTS,
        "dag": "line",
        "lanes": 1,
        "hops": hops_of(dag),
        "payload": payload,
    }
    case = Case(
        name="line of 5, 1 lane",
        parameters=parameters,
        samples={side: samples[side] for side in ("ours", UNIX, RING, GRAPH)},
        targets={RING: Target(sense="at most", ratio=1.5)},
        messages=messages,
    )
    unix = Case(
        name="line of 5, 1 lane, unix",
        parameters=parameters,
        samples={side: samples[side] for side in (UNIX, RING, SENT, READ)},
        ours=UNIX,
        targets={RING: Target(sense="at most", ratio=1.9)},
    )
    return Benchmark(letter="a", title="One step, one lane", about=ABOUT, unit="a step", cases=[case, unix])
