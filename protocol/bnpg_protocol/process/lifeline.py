"""Knowing when whoever started this process is gone.

The launcher holds the other end of the process's standard input. However the launcher ends, by return, signal
or SIGKILL, the kernel closes that end, and the process sees it at its next turn. No process is left behind.
"""

import os
import select
from collections.abc import Callable


class Lifeline:
    """Standard input as a lifeline; one that is not held is never cut."""

    def __init__(self, held: bool) -> None:
        self._fd = 0 if held else None

    def register(self, watch: Callable[[int], None]) -> None:
        """Let a poll loop wake up when the lifeline is cut."""
        if self._fd is not None:
            watch(self._fd)

    def cut(self) -> bool:
        """Whether the other end is gone."""
        if self._fd is None:
            return False
        readable, _, _ = select.select([self._fd], [], [], 0)
        return bool(readable) and os.read(self._fd, 4096) == b""
