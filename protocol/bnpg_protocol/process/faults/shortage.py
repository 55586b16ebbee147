"""A real process that runs short of something, by limits that it sets itself, as the kernel would.

A full disk is a limit on the size of files: every write to one fails, also that of a status, of a trace or of
a log that is kept in a file. Where no descriptors are left, all below the highest in use are taken, and none
above it is allowed, so that who keeps some in reserve still has those. Memory that is not there is a
`MemoryError` where it strikes.
"""

import os
import resource
from typing import Literal

Resource = Literal["disk", "descriptors", "memory"]
REFUSAL = {"disk": "No space left on device", "descriptors": "Too many open files"}
"""How the kernel would put it; what a simulated process hears."""
OUT_OF_MEMORY = "out of memory"
"""Why a process ends that could not allocate."""
_LIMITS = {"disk": resource.RLIMIT_FSIZE, "descriptors": resource.RLIMIT_NOFILE}


class Shortage:
    """What this process is short of just now."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._before: dict[str, int] = {}
        self._taken: list[int] = []

    def begin(self, of: Resource, until: float) -> None:
        """Run short of something until a time; until the end of the process if that is infinite.

        Raises
        ------
        MemoryError
            If it is memory.
        """
        if of == "memory":
            raise MemoryError
        if of not in self._until:
            soft, hard = resource.getrlimit(_LIMITS[of])
            self._before[of] = soft
            resource.setrlimit(_LIMITS[of], (0 if of == "disk" else self._take_descriptors(), hard))
        self._until[of] = max(until, self._until.get(of, until))

    def end(self, now: float) -> None:
        """Give back what it was short of until now."""
        for of in [of for of, until in self._until.items() if until <= now]:
            del self._until[of]
            _, hard = resource.getrlimit(_LIMITS[of])
            resource.setrlimit(_LIMITS[of], (self._before.pop(of), hard))
            if of == "descriptors":
                for descriptor in self._taken:
                    os.close(descriptor)
                self._taken = []

    def next_end(self) -> float:
        """Return when the next shortage ends; infinite for never."""
        return min(self._until.values(), default=float("inf"))

    def _take_descriptors(self) -> int:
        """Take every descriptor below the highest in use; return the limit that allows no other."""
        highest = max(map(int, os.listdir("/dev/fd")))  # that of the listing itself, which is closed by now
        while True:
            taken = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            self._taken.append(taken)
            if taken >= highest:
                return taken + 1
