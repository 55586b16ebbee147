"""What the plain programs that are measured beside a run have in common."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bnpg_coordinator.worlds.simulated import Simulator
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


def played(
    simulator: Simulator,
    rng: np.random.Generator,
    lanes: int,
    steps: int,
    act: Callable[[Any], tuple[list[Any], list[Any]]],
    kept: list[Any] | None,
) -> float:
    """Play a round; return the mean reward of a step.

    Parameters
    ----------
    simulator : Simulator
    rng : Generator
        For everything.
    lanes, steps : int
    act : callable
        From what is seen to the rows that every agent acts from, and what it does.
    kept : list or None
        Takes rows, actions and rewards of every step, where something is learnt.
    """
    first, each = simulator.draws
    state: Any = None
    total = 0.0
    for time_ in range(steps):
        if time_ % simulator.length == 0:
            state = simulator.begin(rng.random((first, lanes)))
        rows, actions = act(simulator.see(state))
        state, rewards = simulator.step(state, actions, rng.random((each, lanes)))
        total += float(rewards.mean())
        if kept is not None:
            kept.append((rows, actions, rewards))
    return total / steps


def softmax(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of a table of logits, row by row."""
    exponentials = np.exp(theta - theta.max(axis=1, keepdims=True))
    policy: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return policy
