"""Uniforms drawn ahead: the numbers of the next turn are known before anybody has said what happens in it.

A stream is addressed and depends on nothing that is awaited, so whoever waits can draw meanwhile. What is
drawn is the same either way; only the moment differs.
"""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.chance.streams import Purpose, uniforms

_Turn = tuple[int, int, int]

BATCH = 256
"""Numbers up to which several turns are drawn at once: a stream costs more to address than to read."""
MOST_TURNS = 16
"""Turns that are drawn at once at the most; a round may end before they are all wanted."""


class PrefetchedUniforms:
    """The uniforms of one purpose, turn after turn of the same lanes.

    Parameters
    ----------
    seed : int
    purpose : Purpose
    indices : sequence of K int
        Streams of a turn.
    """

    def __init__(self, seed: int, purpose: Purpose, indices: range) -> None:
        self._seed = seed
        self._purpose = purpose
        self._indices = indices
        self._wanted: dict[_Turn, int] = {}
        self._drawn: dict[_Turn, FloatArray] = {}

    def take(self, round_: int, time: int, lane: int, count: int) -> FloatArray:
        """Return the uniforms of a turn, and expect the next one of its lanes to be wanted soon.

        Parameters
        ----------
        round_, time : int
            Update and environment step.
        lane : int
            First lane, a multiple of `bnpg_math.chance.streams.BLOCK`.
        count : int
            Number of lanes.

        Returns
        -------
        (K, count) float
        """
        turn = (round_, time, lane)
        self._wanted.pop(turn, None)
        drawn = self._drawn.pop(turn, None)
        if drawn is None or drawn.shape[1] < count:
            drawn = self._draw(turn, count)
        self.expect(round_, time + 1, lane, count)
        return drawn if drawn.shape[1] == count else drawn[:, :count]

    def expect(self, round_: int, time: int, lane: int, count: int) -> None:
        """Take note that the uniforms of a turn will be wanted soon, for at most `count` lanes."""
        if self._drawn and next(iter(self._drawn))[0] != round_:
            self._drawn.clear()
        if (round_, time, lane) not in self._drawn:
            self._wanted[round_, time, lane] = count

    def draw(self) -> None:
        """Draw all that is expected and not drawn yet, and the turns that follow, if they are small."""
        for (round_, time, lane), count in self._wanted.items():
            turns = max(1, min(MOST_TURNS, BATCH // max(1, len(self._indices) * count)))
            for later in range(time, time + turns):
                self._drawn[round_, later, lane] = self._draw((round_, later, lane), count)
        self._wanted.clear()

    def _draw(self, turn: _Turn, count: int) -> FloatArray:
        round_, time, lane = turn
        drawn = np.empty((len(self._indices), count))
        for row, index in enumerate(self._indices):
            uniforms(self._seed, self._purpose, index, round_, time, count, lane, out=drawn[row])
        return drawn
