"""Telling a run that goes on from one that only comes back: what a process that dies again and again undoes.

A process that waits starts its patience anew at every message in order, and when somebody joins. That alone
would never end a run of which one process crashes at the same place each time and is started again at once:
there is always news. So what counts in the long run is the furthest place that was ever reached. When a life
begins and nothing beyond that place has come for longer than the patience, and as long again as it took to
get there from the beginning of the round (all of it may have been played again), the run goes in circles.
"""

from collections import Counter

Place = tuple[int, ...]
"""Where a run is; places are compared, and their second number is the round."""


class Progress:
    """The furthest place of a run as one process sees it.

    Parameters
    ----------
    patience : float
        Seconds that may pass without any progress.
    now : float
        Seconds on a monotonic clock.
    """

    def __init__(self, patience: float, now: float) -> None:
        self._patience = patience
        self._furthest: Place = ()
        self._reached_at = now
        self._round_began = now
        self._returns: Counter[str] = Counter()

    def reach(self, place: Place, now: float) -> None:
        """Note where the run is."""
        if place <= self._furthest:
            return
        if place[:2] != self._furthest[:2]:
            self._round_began = now
        self._furthest = place
        self._reached_at = now
        if self._returns:
            self._returns.clear()

    def stood_still(self, seconds: float, now: float) -> None:
        """Take out so many seconds in which this process could see nothing."""
        self._reached_at = min(now, self._reached_at + seconds)
        self._round_began = min(now, self._round_began + seconds)

    def circles(self, who: str, now: float) -> str:
        """Note that a process has come back; return what is wrong if the run goes in circles, or nothing."""
        self._returns[who] += 1
        again = self._reached_at - self._round_began
        stood = now - self._reached_at
        if stood < self._patience + again:
            return ""
        most, times = max(self._returns.items(), key=lambda item: (item[1], item[0]))
        return f"{most} came back {times} times, but the run got no further for {stood:.0f} s"
