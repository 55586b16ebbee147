"""Benchmarks one after the other, into one document."""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import structs

from bnpg import __version__
from bnpg.lab.bench.document import FORMAT, Benchmark, Results
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.machine import this_machine
from bnpg.lab.bench.many_lanes import many_lanes
from bnpg.lab.bench.measured_run import BenchmarkFailed
from bnpg.lab.bench.one_step import one_step
from bnpg.lab.bench.relay import relay
from bnpg.lab.bench.simulators import simulators
from bnpg.lab.bench.start_up import start_up
from bnpg.lab.bench.switches import switches
from bnpg.lab.bench.usage import cores_of_others, steal_of
from bnpg.lab.bench.what_you_get import what_you_get
from bnpg_math.errors import InputError

Measure = Callable[[Effort], Benchmark]

BENCHMARKS: Mapping[str, Measure] = {
    "a": one_step,
    "b": many_lanes,
    "f": start_up,
    "g": switches,
    "h": simulators,
    "i": what_you_get,
    "j": relay,
}
"""Those that need nothing but this package."""


def run_suite(
    benchmarks: Mapping[str, Measure], effort: Effort, on_benchmark: Callable[[Benchmark], None]
) -> Results:
    """Measure, and go on if one of them fails.

    Parameters
    ----------
    benchmarks : mapping
        By letter.
    effort : Effort
    on_benchmark
        Called with each as soon as it is done.
    """
    results = Results(
        bnpg=__version__,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        quick=effort.sizes != "full",
        machine=this_machine(),
        benchmarks=[],
    )
    with steal_of() as steal:
        for letter, measure in benchmarks.items():
            started, load = time.monotonic(), os.getloadavg()[0]
            try:
                with cores_of_others() as busy:
                    found = measure(effort)
                    found.others = busy()
            except BenchmarkFailed as error:
                results.not_measured[letter] = str(error)
                continue
            found.seconds = time.monotonic() - started
            found.measured, found.load = results.written, load
            results.benchmarks.append(found)
            on_benchmark(found)
    results.machine.steal = steal()
    results.machine.load_after = os.getloadavg()[0]
    return results


def write_results(results: Results, path: Path) -> None:
    """Write the JSON.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def check_mixable(earlier: Results, quick: bool) -> None:
    """Find out whether what is measured now may stand beside earlier results.

    Raises
    ------
    InputError
        If those are of another machine or effort.
    """
    now = this_machine()
    for what in ("processor", "cores", "python"):
        before, here = getattr(earlier.machine, what), getattr(now, what)
        if before != here:
            raise InputError(f"the earlier results are of another machine: {what} {before!r}, now {here!r}")
    if earlier.quick != quick:
        raise InputError("the earlier results were measured with another effort; choose another --out")


def merged(earlier: Results, later: Results) -> Results:
    """Return the later results, and of the earlier ones what was not measured again."""
    again = {found.letter for found in later.benchmarks} | set(later.not_measured)
    kept = [_stamped(found, earlier) for found in earlier.benchmarks if found.letter not in again]
    failed = {letter: why for letter, why in earlier.not_measured.items() if letter not in again}
    packages = earlier.machine.packages | later.machine.packages
    return structs.replace(
        later,
        machine=structs.replace(later.machine, packages=packages),
        benchmarks=sorted([*kept, *later.benchmarks], key=lambda found: found.letter),
        not_measured=failed | later.not_measured,
    )


def _stamped(found: Benchmark, results: Results) -> Benchmark:
    """Return a benchmark that says itself when it was measured, and under which load."""
    if found.measured:
        return found
    return structs.replace(found, measured=results.written, load=results.machine.load)


def check_place(path: Path) -> None:
    """Find out whether results can be written there before minutes are spent on them.

    Raises
    ------
    InputError
        If not.
    """
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"cannot write {path}: expected a file in a folder that can be written")


def read_results(path: Path) -> Results:
    """Read the JSON.

    Raises
    ------
    InputError
        If it cannot be read or is something else.
    """
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: no results of benchmarks: {error}") from None
    if results.format != FORMAT:
        raise InputError(f"{path}: expected format {FORMAT} of results, got {results.format}")
    return results
