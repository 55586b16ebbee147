"""A process that steps some lanes of an environment.

It is told what to do over a pipe by the coordinator that started it, and ends when that is gone. Lanes are
seeded by their numbers among all lanes, so what is played does not depend on who plays it.
"""

import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bnpg_protocol.process.the_end import end_at_once
from msgspec import Struct
from setproctitle import setproctitle
from threadpoolctl import threadpool_limits

from bnpg_coordinator.environments.containment import take_exits
from bnpg_coordinator.environments.world import EnvironmentPlay, EnvironmentWorld
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.simulator import open_unread
from bnpg_coordinator.worlds.interface import Seen, WorldFailed
from bnpg_math.arrays import IntArray
from bnpg_math.errors import InputError


class Open(Struct, frozen=True):
    """Open the environment of an experiment; answered with None."""

    experiment: Experiment
    patience: float
    folder: Path
    number: int
    """Of the worker."""


class Begin(Struct, frozen=True):
    """Begin a round; answered with a `Taken` without rewards."""

    seed: int
    round: int
    lanes: int
    first: int


class Take(Struct, frozen=True):
    """Take the actions of a turn; answered with a `Taken`."""

    time: int
    lane: int
    lanes: int
    actions: tuple[IntArray, ...]
    alive: int


class Taken(Struct, frozen=True):
    """What came of it."""

    seen: Seen | None
    rewards: Any
    strata: Any
    ends: Any
    following: Seen | None
    """What was seen after last steps."""
    rewards_differ: bool


class Failure(Struct, frozen=True):
    """What went wrong, in one line."""

    why: str
    hung: bool


class _Player:
    """Does what the coordinator asks for."""

    def __init__(self) -> None:
        self._world: EnvironmentWorld | None = None
        self._play: EnvironmentPlay | None = None

    def answer(self, order: Any) -> Any:
        try:
            return self._answer(order)
        except WorldFailed as error:
            return Failure(str(error), error.hung)
        except InputError as error:
            return Failure(f"an environment worker cannot open it: {error}", hung=False)

    def _answer(self, order: Any) -> Any:
        if isinstance(order, Open):
            setproctitle(f"bnpg-environment-{order.number}")
            world = open_unread(order.experiment, order.patience, order.folder).world
            assert isinstance(world, EnvironmentWorld)
            self._world = world
            return None
        assert self._world is not None
        if isinstance(order, Begin):
            play = self._play = self._world.begin_from(order.seed, order.round, order.lanes, order.first)
            return Taken(play.first, None, None, None, None, self._world.rewards_differ)
        assert isinstance(order, Take)
        assert self._play is not None
        play = self._play
        seen = play.take(order.time, order.lane, order.lanes, order.actions, order.alive)
        paid = play.rewards()[-1], play.strata()[-1], play.ends()[-1], play.following()[-1]
        return Taken(seen, *paid, self._world.rewards_differ)


def work(connection: Connection) -> None:
    """Answer until the coordinator is gone.

    A thread of its own reads, so that the end is noticed in the midst of a step that never ends too.
    """
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                orders.put(connection.recv())
        except (EOFError, OSError):
            end_at_once(0)

    threading.Thread(target=read, daemon=True).start()
    player = _Player()
    with threadpool_limits(limits=1):
        while True:
            answer = player.answer(orders.get())
            try:
                connection.send(answer)
            except OSError:
                return


def main() -> None:
    """Work for whoever has the other end of a descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator decides when a run is interrupted
    take_exits()
    work(Connection(int(sys.argv[1])))
