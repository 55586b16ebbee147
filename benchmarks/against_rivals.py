"""c. Against what a user would pick instead."""

from msgspec import structs

from benchmarks.rivals.asyncio_ring import AsyncioRing
from benchmarks.rivals.pipes import PipeRing, PipeTeam
from benchmarks.rivals.ray_actors import RayTeam, missing
from bnpg.lab.bench.bare_topology import BareTopology, hops_of
from bnpg.lab.bench.counted_messages import count_messages
from bnpg.lab.bench.document import Benchmark, Case, Target
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import Workload, measure
from bnpg.lab.bench.turns import take_turns
from bnpg.lab.bench.words import counted
from bnpg_math.dag import line

AGENTS = 5
LANES = {"full": (1, 4096), "quick": (1,), "tiny": (4,)}
RAY, PIPE_RING, PIPES, ASYNCIO = "Ray actors", "pipe ring", "pipes", "asyncio-zmq ring"
UNIX = "ours over unix sockets"
ABOUT = """\
Five agents in a line. *Pipe ring*: multiprocessing pipes, the same six hops one after the other, an object
of the same size pickled at each, nothing decided. *Pipes*: the same processes play: they get the states,
draw actions from a table with numpy's generator, and tell them to the next agent and to the driver,
fourteen messages a step as ours; they carry no identity, recover no loss, stay on one host and learn
nothing. *asyncio-zmq ring*: the six hops with zmq.asyncio in every process. *Ray actors*: the same players
as actors, each call taking the results of its parents' calls; ordinary actor calls, of the same priority as
all else (of themselves they give way to every other process), and Ray is up only while it takes turns with
ours. *Over unix sockets* is our run with `--transport unix`, in the same turns.
Messages of 4,096 lanes hold the actions of all of them."""


def against_rivals(effort: Effort) -> Benchmark:
    """Measure."""
    cases = []
    for lanes in LANES[effort.sizes]:
        wanted = Workload(
            game=f"coordination(agents={AGENTS})", dag="line", lanes=lanes, horizon=500 if lanes == 1 else 50
        )
        workload = effort.sized(wanted)
        cases += [_bare(effort, workload), *_ray(effort, workload)]
    return Benchmark(letter="c", title="Against rivals", about=ABOUT, unit="a step", cases=cases)


def _bare(effort: Effort, workload: Workload) -> Case:
    dag, lanes = line(AGENTS), workload.lanes
    messages = count_messages(workload)
    payload, hops = round(messages.bytes_by_kind["ActionsChosen"]), hops_of(dag)
    with (
        PipeRing(hops, payload) as ring,
        PipeTeam(dag, lanes) as team,
        AsyncioRing.ring(hops, payload) as loops,
        BareTopology.ring(hops, payload) as bare,
    ):
        sides = {
            "ours": lambda: measure(workload),
            UNIX: lambda: measure(workload, transport="unix"),
            PIPE_RING: lambda: ring.measure(effort.seconds / 2),
            PIPES: lambda: team.measure(effort.seconds / 2),
            ASYNCIO: lambda: loops.measure(effort.seconds / 2),
            "bare pyzmq ring": lambda: bare.measure(effort.seconds / 2),
        }
        samples = take_turns(sides, effort.repetitions, effort.budget)
    return Case(
        name=f"pipes and asyncio, {counted(lanes, 'lane')}",
        parameters={"agents": AGENTS, "dag": "line", "lanes": lanes, "hops": hops, "payload": payload},
        samples=samples,
        targets={PIPE_RING: Target(sense="at most", ratio=2.5)} if lanes == 1 else {},
        lanes=lanes,
        messages=messages,
    )


def _ray(effort: Effort, workload: Workload) -> list[Case]:
    case = Case(
        name=f"Ray, {counted(workload.lanes, 'lane')}",
        parameters={"agents": AGENTS, "dag": "line", "lanes": workload.lanes},
        samples={},
        targets={RAY: Target(sense="at most", ratio=0.2)} if workload.lanes == 1 else {},
        lanes=workload.lanes,
    )
    why = missing()
    if why:
        case.left_out[RAY] = why
        case.targets = {}
        case.samples = take_turns({"ours": lambda: measure(workload)}, 1)
        return [case]
    with RayTeam(line(AGENTS), workload.lanes) as team:
        sides = {
            "ours": lambda: measure(workload),
            UNIX: lambda: measure(workload, transport="unix"),
            RAY: lambda: team.measure(effort.seconds / 2),
        }
        case.samples = take_turns(sides, effort.repetitions, effort.budget)
    unix = structs.replace(
        case,
        name=f"{case.name}, unix",
        samples={side: case.samples[side] for side in (UNIX, RAY)},
        ours=UNIX,
        targets={RAY: Target(sense="at most", ratio=1 / 8)} if workload.lanes == 1 else {},
    )
    return [case, unix]
