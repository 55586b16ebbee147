"""What a run over many hosts costs: the model of docs/engines/limits-and-cost.md, checked by simulation.

python -m benchmarks.limits              prints the tables of the page
python -m benchmarks.limits --measure    measures what the coordinator does in a step, on this machine
"""

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from bnpg_coordinator.line import Line

from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import settings_from
from bnpg.run_creation import create_run_folder

HOUR = 3600.0
DAY = 24 * HOUR

STEP_SECONDS, AGENT_SECONDS = 0.3e-3, 0.052e-3
"""CPU time of the coordinator a step, with one lane and no edges: fixed, and an agent (`--measure`)."""
MEASURED_AGENTS = (1, 4, 16, 32, 62)


@dataclass(frozen=True)
class Failures:
    """Machines that fail, independently of each other and of how old they are.

    Parameters
    ----------
    machines : int
    mtbf : float
        Mean seconds between two failures of one machine.
    round : float
        Seconds of a round in which nothing fails.
    recovery : float
        Seconds from a failure to the beginning of the round that is played again: to detect it, to place a
        replacement, and for that to join. A failure meanwhile begins it anew.
    """

    machines: int
    mtbf: float
    round: float
    recovery: float

    @property
    def rate(self) -> float:
        """Failures a second, of all machines together."""
        return self.machines / self.mtbf


def mean_round(failures: Failures) -> float:
    """Return the mean seconds of a round with all that is played again.

    With failures at rate l, rounds of T and recoveries of C seconds it is exp(l C) (exp(l T) - 1)/l. Where
    l C is small that is (1/l + C)(exp(l T) - 1): a round of T seconds without a failure comes after
    exp(l T) - 1 failures on average, each of which costs a recovery.
    """
    rate = failures.rate
    return math.exp(rate * failures.recovery) * math.expm1(rate * failures.round) / rate


def useful(failures: Failures) -> float:
    """Return which part of the time goes into rounds that count, in 0..1."""
    return failures.round / mean_round(failures)


def simulated_rounds(failures: Failures, rounds: int, rng: np.random.Generator) -> Iterator[float]:
    """Yield the seconds of one round after the other, machine by machine.

    Every machine has a time at which it fails next; one that has failed is replaced by another at once, which
    is as likely to fail. Nothing of the formula is used.
    """
    fails_at = rng.exponential(failures.mtbf, failures.machines)
    now = 0.0
    for _ in range(rounds):
        began, ready = now, now
        while (first := int(fails_at.argmin())) >= 0 and fails_at[first] < ready + failures.round:
            failed = float(fails_at[first])
            fails_at[first] = failed + rng.exponential(failures.mtbf)
            ready = failed + failures.recovery
        now = ready + failures.round
        yield now - began


def coordinator_step(agents: int) -> float:
    """Return the CPU seconds of the coordinator a step, with one lane and no edges."""
    return STEP_SECONDS + AGENT_SECONDS * agents


def signal_seconds(agents: int, lanes: int, steps: int, bits_a_second: float) -> float:
    """Return the seconds that the signal of a round takes on the way out: 8 bytes a lane, step and agent."""
    return 8.0 * 8 * agents * lanes * steps / bits_a_second


def measured_coordinator(agents: int) -> float:
    """Return the CPU seconds of the coordinator a step, as measured on this machine."""
    steps, rounds = max(60, 4000 // (agents + 4)), 4
    plan = plan_experiment(
        {
            "game": f"random(states=8, agents={agents}, actions=1)",
            "dag": "empty",
            "lanes": 1,
            "horizon": steps,
        }
        | {"rounds": rounds, "evaluate-every": 0}
    )
    settings = settings_from({"log-level": "error"})
    used: list[float] = []

    def look(_: Line) -> None:
        for process in psutil.Process().children():
            if " ".join(process.cmdline()).startswith("bnpg-coordinator"):
                times = process.cpu_times()
                used.append(times.user + times.system)

    with tempfile.TemporaryDirectory(prefix="bnpg-limits-") as parent:
        folder = create_run_folder(plan, settings, Path(parent) / "run")
        execute(folder, settings, find_launcher(settings.launcher), look, curves=False)
    return (used[-1] - used[0]) / ((len(used) - 1) * steps)


CASES = (
    ("1,000 machines, one failure in 90 days each", 1000, 90 * DAY),
    ("100 machines, one failure in 90 days each", 100, 90 * DAY),
    ("100 spot machines, 10 hours each", 100, 10 * HOUR),
)
ROUNDS = ((6.0, 25.0), (60.0, 25.0), (60.0, 300.0))
"""Seconds of a round and of a recovery."""
SIMULATED = 50_000
"""Rounds of the simulation a row."""


def failures_table() -> Iterator[str]:
    """Yield the rows of what failures cost."""
    yield "| machines | round | recovery | useful time | simulated |"
    yield "|---|---|---|---|---|"
    for name, machines, mtbf in CASES:
        for seconds, recovery in ROUNDS:
            case = Failures(machines, mtbf, seconds, recovery)
            times = list(simulated_rounds(case, SIMULATED, np.random.default_rng(0)))
            simulated = seconds * len(times) / math.fsum(times)
            yield f"| {name} | {seconds:g} s | {recovery:g} s | {useful(case):.2%} | {simulated:.2%} |"


def size_table() -> Iterator[str]:
    """Yield the rows of what the coordinator does."""
    yield "| agents | coordinator, CPU a step | signal of 16,384 lanes, 100 steps, 10 Gb/s | of 1,024 lanes |"
    yield "|---|---|---|---|"
    for agents in (10, 62, 100, 1000):
        signals = (signal_seconds(agents, lanes, 100, 10e9) for lanes in (16_384, 1024))
        words = " | ".join(f"{seconds:.2g} s" for seconds in signals)
        beyond = "" if agents <= MEASURED_AGENTS[-1] else ", by the model"
        yield f"| {agents:,} | {1e3 * coordinator_step(agents):.2g} ms{beyond} | {words} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or what this machine measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    if parser.parse_args(arguments).measure:
        for agents in MEASURED_AGENTS:
            found = measured_coordinator(agents)
            print(
                f"{agents} agents: {1e3 * found:.3f} ms a step, model {1e3 * coordinator_step(agents):.3f} ms"
            )
        return
    print("\n".join([*size_table(), "", *failures_table()]))


if __name__ == "__main__":
    main()
