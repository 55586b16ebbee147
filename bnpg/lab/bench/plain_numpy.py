"""What the plain programs that are measured beside a run have in common."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bnpg.lab.bench.document import Sample


def measured(play: Callable[[], object], steps: int, seconds: float) -> Sample:
    """Play rounds of so many steps for about so long, once before, and return the time of a step."""
    play()
    rounds, started, cpu = 0, time.perf_counter(), time.process_time()
    while rounds == 0 or time.perf_counter() - started < seconds:
        play()
        rounds += 1
    done = rounds * steps
    return Sample(
        seconds=(time.perf_counter() - started) / done,
        steps=done,
        cpu_seconds=(time.process_time() - cpu) / done,
    )


def softmax(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of a table of logits, row by row."""
    exponentials = np.exp(theta - theta.max(axis=1, keepdims=True))
    policy: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return policy
