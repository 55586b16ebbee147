"""What processes use: CPU time, context switches, memory; and what the machine's host took away."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
from msgspec import Struct


class Usage(Struct, frozen=True):
    """What some processes have used so far."""

    at: float
    """Monotonic seconds."""
    processes: int
    cpu: float
    """Seconds, user and system."""
    switches: int
    """Voluntary context switches."""


class Footprint(Struct, frozen=True):
    """Memory of one process, in bytes."""

    unique: int
    """USS: what the end of the process would give back."""
    resident: int
    """RSS, shared libraries included."""


def usage(processes: list[psutil.Process]) -> Usage:
    """Look at processes; those that are gone count for nothing."""
    cpu, switches, counted = 0.0, 0, 0
    for process in processes:
        with suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            voluntary = process.num_ctx_switches().voluntary
            cpu += times.user + times.system
            switches += voluntary
            counted += 1
    return Usage(time.monotonic(), counted, cpu, switches)


def footprint(process: psutil.Process) -> Footprint | None:
    """Return the memory of a process; None if it is gone."""
    with suppress(psutil.Error):
        memory = process.memory_full_info()
        if memory.rss:
            return Footprint(memory.uss, memory.rss)
    return None


@contextmanager
def steal_of() -> Iterator[Callable[[], float]]:
    """Give a call that returns the share of CPU time stolen since, 0 to 1."""
    before = psutil.cpu_times()

    def stolen() -> float:
        after = psutil.cpu_times()
        total = sum(after) - sum(before)
        # Linux counts guests within user already; on other systems there is no steal to be seen.
        stolen = getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)
        return min(max(stolen / total, 0.0), 1.0) if total > 0 else 0.0  # the kernel's own sums are rounded

    yield stolen


@contextmanager
def cores_of_others() -> Iterator[Callable[[], float]]:
    """Give a call that returns how many cores others kept busy since, on average.

    Ours are this process and all that it, or one of its descendants, has waited for meanwhile.
    """
    started, before = time.monotonic(), _by_others()

    def busy() -> float:
        elapsed = time.monotonic() - started
        return max(0.0, _by_others() - before) / elapsed if elapsed > 0 else 0.0

    yield busy


def _by_others() -> float:
    """Seconds of CPU time that this machine has spent on others."""
    times, own = psutil.cpu_times(), os.times()
    return times.user + times.system + getattr(times, "nice", 0.0) - sum(own[:4])
