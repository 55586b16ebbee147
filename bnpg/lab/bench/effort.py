"""How long a benchmark may take."""

from typing import Any

from msgspec import Struct, structs

from bnpg.lab.bench.measured_run import Workload, measure

MOST = 500
"""Rounds that are measured at the most."""
SHORT = 60
"""Rounds of a test: its processes are weighed in the middle, and must be there however late one looks."""


class Effort(Struct, frozen=True, kw_only=True):
    """Repetitions, and the length of one measurement."""

    repetitions: int
    seconds: float
    """About how long one side is measured in one repetition, start-up not counted."""
    budget: float = 20.0
    """Seconds after which a case is not repeated any more, once it was a few times."""
    sizes: str = "full"
    """`full`, `quick` for the sizes that targets are about, `tiny` for tests."""

    def sized(self, workload: Workload, **settings: Any) -> Workload:
        """Return a workload with as many rounds as take about the time of one measurement.

        It is run once for that, which also warms up whatever there is to warm up.
        """
        if self.sizes == "tiny":
            return structs.replace(workload, horizon=min(workload.horizon, 20), rounds=SHORT)
        shortest = structs.replace(workload, rounds=2)
        round_seconds = measure(shortest, **settings).seconds * workload.steps
        return structs.replace(workload, rounds=1 + max(2, min(MOST, round(self.seconds / round_seconds))))


FULL = Effort(repetitions=5, seconds=0.6)
QUICK = Effort(repetitions=3, seconds=0.5, sizes="quick")
TINY = Effort(repetitions=1, seconds=0.02, sizes="tiny")
