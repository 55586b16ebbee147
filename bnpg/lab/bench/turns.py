"""Taking turns: whatever else the machine does meets all sides alike."""

import math
import time
from collections.abc import Callable

from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.usage import steal_of

Side = Callable[[], Sample]


LEAST = 3
"""Repetitions without which there is no spread."""


def take_turns(sides: dict[str, Side], repetitions: int, budget: float = math.inf) -> dict[str, list[Sample]]:
    """Measure every side once a repetition; every other repetition in the opposite order.

    Parameters
    ----------
    sides : dict
        By name; each call is one measurement.
    repetitions : int
        How many, if there is time.
    budget : float
        Seconds after which no repetition is begun any more, once there are a few.
    """
    started = time.monotonic()
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for repetition in range(repetitions):
        for name in list(sides)[:: 1 if repetition % 2 == 0 else -1]:
            with steal_of() as steal:
                sample = sides[name]()
            sample.steal = steal()
            samples[name].append(sample)
        if repetition + 1 >= LEAST and time.monotonic() - started >= budget:
            break
    return samples
