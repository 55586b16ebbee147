"""Taking turns: whatever else the machine does meets all sides alike."""

from collections.abc import Callable

from bnpg.bench.document import Sample
from bnpg.bench.usage import steal_of

Side = Callable[[], Sample]


def take_turns(sides: dict[str, Side], repetitions: int) -> dict[str, list[Sample]]:
    """Measure every side once a repetition; every other repetition in the opposite order.

    Parameters
    ----------
    sides : dict
        By name; each call is one measurement.
    repetitions : int
    """
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for repetition in range(repetitions):
        for name in list(sides)[:: 1 if repetition % 2 == 0 else -1]:
            with steal_of() as steal:
                sample = sides[name]()
            sample.steal = steal()
            samples[name].append(sample)
    return samples
