"""How long this process has been awake: a clock that stands still while everything is stopped.

A batch system, a container engine or a freezer may stop all processes of a run for hours and wake them again.
To a clock that has gone on, whoever was waited for has been silent all the while, though it had no chance to
speak. So a wait looks at the clock again and again, and of a long time between two looks only little counts.
"""

import time
from collections.abc import Callable

LOOK_EVERY = 0.5
"""Seconds within which whoever waits looks again."""
COUNTED = 1.0
"""Seconds that count at the most between two looks: more than a busy machine adds to a wait."""


class Awake:
    """Seconds since it was made, less those in which nobody could look.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._passed = 0.0

    def __call__(self) -> float:
        """Look, and return how many seconds have passed."""
        now = self._clock()
        self._passed += min(now - self._looked, COUNTED)
        self._looked = now
        return self._passed
