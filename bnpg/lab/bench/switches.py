"""g. What can be switched on or off, and what it costs."""

import tempfile
from pathlib import Path

import msgspec

from bnpg.lab.bench.document import Benchmark, Case, Sample
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.keyed_launch import KeyedLaunch, make_keys
from bnpg.lab.bench.measured_run import Workload, measure
from bnpg.lab.bench.turns import Side, take_turns
from bnpg.lab.bench.words import counted

AGENTS = 5
GAME = f"coordination(agents={AGENTS})"
SIZES = {"full": ((1, 500), (4096, 50)), "quick": ((1, 500),), "tiny": ((8, 20),)}
"""Lanes and horizon."""
FSYNC_HORIZON = 10
ABOUT = """\
`coordination(agents=5)`, line DAG, with and without: encryption and authentication by CURVE (over TCP on
the loopback either way, the same launcher, keys or none); the message trace (`--trace`); and fsync of
checkpoints and record (`--fsync`, which is once a round for everybody, so its rounds have ten steps only
and the time is that of a round). The ratio is with over without. On a file system in memory fsync costs
nothing: see which one holds the run folders."""


def switches(effort: Effort) -> Benchmark:
    """Measure."""
    cases = []
    with tempfile.TemporaryDirectory(prefix="bnpg-keys-") as folder:
        keys = make_keys(Path(folder) / "keys", AGENTS)
        for lanes, horizon in SIZES[effort.sizes]:
            plain = effort.sized(Workload(game=GAME, dag="line", lanes=lanes, horizon=horizon))
            traced = msgspec.structs.replace(plain, trace=True)
            cases += [
                _case(
                    effort, f"CURVE, {counted(lanes, 'lane')}", plain, "with CURVE", "without",
                    lambda plain=plain: measure(plain, launch=KeyedLaunch(keys)),  # type: ignore[misc]
                    lambda plain=plain: measure(plain, launch=KeyedLaunch(None)),  # type: ignore[misc]
                ),
                _case(
                    effort, f"trace, {counted(lanes, 'lane')}", plain, "with trace", "without",
                    lambda traced=traced: measure(traced),  # type: ignore[misc]
                    lambda plain=plain: measure(plain),  # type: ignore[misc]
                ),
            ]  # fmt: skip
    short = effort.sized(Workload(game=GAME, dag="line", horizon=FSYNC_HORIZON))

    def a_round(sample: Sample) -> Sample:
        for name in ("seconds", "cpu_seconds", "switches"):
            value = getattr(sample, name)
            setattr(sample, name, None if value is None else value * short.steps)
        return sample

    cases.append(
        _case(
            effort, f"fsync, a round of {short.steps} steps", short, "with fsync", "without",
            lambda: a_round(measure(short)),
            lambda: a_round(measure(short, fsync=False)),
        )
    )  # fmt: skip
    return Benchmark(letter="g", title="Switches", about=ABOUT, unit="a step", cases=cases)


def _case(
    effort: Effort, name: str, workload: Workload, on: str, off: str, with_it: Side, without: Side
) -> Case:
    return Case(
        name=name,
        parameters={"agents": AGENTS, "dag": "line", "lanes": workload.lanes, "horizon": workload.horizon},
        samples=take_turns({on: with_it, off: without}, effort.repetitions, effort.budget),
        ours=on,
        lanes=1,
    )
