"""Keeping a log readable, and a disk free, while somebody provokes one and the same line."""

AT_ONCE = 20
"""Lines that may come at once."""
PER_SECOND = 2.0
"""Lines a second in the long run."""


class Throttle:
    """A leaky bucket: says which lines are written, and how many were left out before the next."""

    def __init__(self) -> None:
        self._tokens = float(AT_ONCE)
        self._at = 0.0
        self._left_out = 0

    def passes(self, now: float) -> int | None:
        """Return how many lines were left out before this one, or None if this one is left out too."""
        self._tokens = min(float(AT_ONCE), self._tokens + PER_SECOND * max(0.0, now - self._at))
        self._at = now
        if self._tokens < 1.0:
            self._left_out += 1
            return None
        self._tokens -= 1.0
        left_out, self._left_out = self._left_out, 0
        return left_out
