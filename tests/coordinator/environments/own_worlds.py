"""A World of one's own that plays as it should, or fails as the file `failing` beside this one says."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bnpg_coordinator.worlds.interface import Discrete, End, Seen

LENGTH = 4


def _fails(where: str) -> str:
    """Fail there as the file says, or return what else it says is to be done there."""
    try:
        place, how = Path(__file__).with_name("failing").read_text().split()
    except FileNotFoundError:
        return ""
    if place != where:
        return ""
    if how == "raises":
        raise ValueError("own trouble\nin two lines")
    if how == "exits":
        sys.exit(3)
    if how == "cancels":
        raise asyncio.CancelledError("by itself")
    if how == "interrupts":
        raise KeyboardInterrupt
    if how == "hangs":
        time.sleep(600)
    return how


class OwnPlay:
    """One round: who chooses alike is paid."""

    def __init__(self, seed, round_, lanes):
        _fails("begin")
        if round_ == 2:
            _fails("later")
        self.lanes = lanes
        self.turns = []

    @property
    def first(self):
        return None if _fails("first") else self.seen(0, self.lanes)

    def seen(self, time, lanes):
        states = np.full(lanes, time % LENGTH, dtype=np.uint8)
        states.flags.writeable = False
        return Seen(states)

    def step(self, time, lane, seen, actions: Sequence, alive):
        how = _fails("step")
        if how == "none":
            return None
        self.turns.append((time, np.asarray(actions[0] == actions[1], dtype=np.float64)))
        return self.seen(time + 1, alive - (how == "fewer")) if alive else None

    def rewards(self):
        how = _fails("rewards")
        if how == "infinite":
            self.turns[1][1][5] = np.inf
        return [paid[how == "short" :] for _, paid in self.turns][how == "fewer" :]

    def strata(self):
        _fails("strata")
        return [np.full(len(paid), time) for time, paid in self.turns]

    def ends(self):
        _fails("ends")
        last = [time % LENGTH == LENGTH - 1 for time, _ in self.turns]
        return [
            np.full(len(paid), End.TERMINATED if over else End.GOES_ON, dtype=np.uint8)
            for over, (_, paid) in zip(last, self.turns, strict=True)
        ]

    def following(self):
        _fails("following")
        return [self.seen(time + 1, len(paid)) for time, paid in self.turns]

    def prepare(self):
        _fails("prepare")


class OwnWorld:
    """Two agents who see the time."""

    actions = (2, 2)
    spaces = (Discrete(LENGTH), Discrete(LENGTH))
    gamma = 1.0
    strata = 8
    model = None

    def begin(self, seed, round_, lanes):
        return None if _fails("begin") else OwnPlay(seed, round_, lanes)


def make():
    return OwnWorld()
