"""A machine that is busy: processes that only compute, beside what a test runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# One that is left behind, because its test was killed, ends by itself.
_LOOP = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"


@contextmanager
def busy_machine(loops: int = 0) -> Iterator[None]:
    """Keep every core busy, or as many as asked for, for as long as the context lasts."""
    number = loops or 2 * (os.cpu_count() or 1)
    processes = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
