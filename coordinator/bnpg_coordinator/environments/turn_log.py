"""What a round of environments has come to, turn by turn, whoever steps them."""

import numpy as np
from numpy.typing import NDArray

from bnpg_coordinator.worlds.interface import Seen
from bnpg_math.arrays import FloatArray, IntArray


class TurnLog:
    """The part of an episodic play that looks back; who steps the lanes appends to it."""

    def __init__(self) -> None:
        self._rewards: list[FloatArray] = []
        self._strata: list[IntArray] = []
        self._ends: list[NDArray[np.uint8]] = []
        self._following: list[Seen | None] = []

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn."""
        return self._rewards

    def strata(self) -> list[IntArray]:
        """Return the step of the episode, turn by turn."""
        return self._strata

    def ends(self) -> list[NDArray[np.uint8]]:
        """Return what every step did to the episodes, turn by turn."""
        return self._ends

    def following(self) -> list[Seen | None]:
        """Return what was seen after truncated episodes and at the round's end, turn by turn."""
        return self._following

    def prepare(self) -> None:
        """Do nothing ahead: what an environment does may depend on all actions."""
