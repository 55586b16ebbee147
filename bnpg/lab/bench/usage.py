"""What processes use: CPU time, context switches, memory; and what the machine's host took away."""

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
        return (getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)) / total if total > 0 else 0.0

    yield stolen
