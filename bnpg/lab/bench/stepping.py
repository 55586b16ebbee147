"""How a floor or a rival is measured: steps for about so long."""

import time
from collections.abc import Callable

import psutil

from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.usage import usage

WARM_UP = 100
"""Steps before anything is measured: connections are made, caches are warm."""


def measure_steps(
    steps: Callable[[int], None], seconds: float, processes: Callable[[], list[psutil.Process]]
) -> Sample:
    """Return the time of a step; `steps` makes as many as it is told."""
    started = time.perf_counter()
    steps(WARM_UP)
    count = max(10, round(seconds * WARM_UP / (time.perf_counter() - started)))
    before = usage(processes())
    started = time.perf_counter()
    steps(count)
    elapsed = time.perf_counter() - started
    after = usage(processes())
    sample = Sample(seconds=elapsed / count, steps=count)
    if before.processes == after.processes:
        sample.cpu_seconds = (after.cpu - before.cpu) / count
        sample.switches = (after.switches - before.switches) / count
    return sample
