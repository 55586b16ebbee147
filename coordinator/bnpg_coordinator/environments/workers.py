"""An environment whose lanes are stepped by several processes, for environments that are slower than agents.

Every worker plays a run of neighbouring lanes, whole blocks of the random stream. What a lane plays depends
on its number, its round and its episode alone, so the bits are those of one process, whatever the number of
workers. Answers are taken in the order of the lanes, and so is what goes wrong.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import numpy as np
from bnpg_protocol.process.awake import LOOK_EVERY, Awake
from numpy.typing import NDArray

from bnpg_coordinator.environments.turn_log import TurnLog
from bnpg_coordinator.environments.worker import Begin, Failure, Open, Take, Taken
from bnpg_coordinator.environments.world import EnvironmentWorld
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.worlds.indexed import IndexedWorld
from bnpg_coordinator.worlds.interface import Seen, World, WorldFailed
from bnpg_coordinator.worlds.one_hot import OneHotWorld
from bnpg_math.arrays import IntArray
from bnpg_math.chance.streams import BLOCK
from bnpg_math.errors import InputError

GRACE = 5.0
"""Seconds that a worker may take longer than its environment, which it watches itself."""
START = 60.0
"""Seconds a worker may take to begin."""


class Worker:
    """One process, and the lanes it plays."""

    def __init__(self, number: int, opening: Open) -> None:
        self.first = self.lanes = 0
        self.number = number
        self._patience = opening.patience
        self._pipe, theirs = Pipe()
        begin = "from bnpg_coordinator.environments.worker import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", begin, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=2,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        theirs.close()
        self.send(opening)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def send(self, order: Any) -> None:
        """Ask for something; if it is dead, the answer will say so."""
        with suppress(OSError):
            self._pipe.send(order)

    def answer(self, time: int, awake: Awake, limit: float) -> Any:
        """Return its answer, which must be there before so many seconds awake.

        Raises
        ------
        WorldFailed
            If the environment fails, or the worker is dead or silent.
        """
        lanes = f"lanes {self.first} to {self.first + self.lanes - 1}, " if self.lanes else ""
        where = f"{lanes}step {time}, all agents"
        try:
            while not self._pipe.poll(min(LOOK_EVERY, max(0.0, limit - awake()))):
                # A child of its environment may hold its end of the pipe for longer than it lives.
                if self._process.poll() is not None and not self._pipe.poll():
                    raise self._died(where)
                if awake() >= limit:
                    waited = "the environment hangs, and with it its worker"
                    raise WorldFailed(f"{where}: {waited}", hung=True)
            found = self._pipe.recv()
        except (EOFError, OSError):
            raise self._died(where) from None
        if isinstance(found, Failure):
            raise WorldFailed(found.why, found.hung)
        return found

    def _died(self, where: str) -> WorldFailed:
        code = self._process.wait()
        how = f"killed by signal {-code}" if code < 0 else f"it ended with code {code}"
        return WorldFailed(f"{where}: environment worker {self.number} died: {how}")

    def end(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()


class WorkersWorld:
    """An environment as a world, stepped by workers that are started with its first round.

    Parameters
    ----------
    world : EnvironmentWorld
        What it is like.
    workers : int
        How many processes.
    opening : Open
        How they open it.
    """

    def __init__(self, world: EnvironmentWorld, workers: int, opening: Open) -> None:
        self.actions = world.actions
        self.spaces = world.spaces
        self.gamma = world.gamma
        self.strata = world.strata
        self.model = None
        self.rewards_differ = False
        self.patience = world.patience
        self._count = workers
        self._opening = opening
        self._workers: list[Worker] = []

    @property
    def workers(self) -> list[Worker]:
        """Those that live."""
        return self._workers

    def begin(self, seed: int, round_: int, lanes: int) -> "WorkersPlay":
        """Return a round, at the beginning of its first episodes."""
        width = -(-lanes // (self._count * BLOCK)) * BLOCK
        starts = range(0, lanes, width)
        try:
            if not self._workers:
                self._start(len(starts))
            for worker, first in zip(self._workers, starts, strict=True):
                worker.first, worker.lanes = first, min(width, lanes - first)
                worker.send(Begin(seed, round_, worker.lanes, first))
            return WorkersPlay(self, self.answers(self._workers, 0), lanes)
        except BaseException:
            self.close()
            raise

    def answers(self, asked: Sequence[Worker], time: int) -> list[Any]:
        """Return what all that were asked answer, in the order of their lanes.

        Raises
        ------
        WorldFailed
            What the first of them complains of.
        """
        awake, limit = Awake(), self.patience + GRACE
        found, failed = [], None
        for worker in asked:
            try:
                found.append(worker.answer(time, awake, limit))
            except WorldFailed as error:
                failed = failed or error
        if failed is not None:
            self.close()
            raise failed
        for part in found:
            self.rewards_differ |= isinstance(part, Taken) and part.rewards_differ
        return found

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _start(self, count: int) -> None:
        for number in range(count):
            opening = self._opening
            own = Open(opening.experiment, opening.patience, opening.folder, number)
            self._workers.append(Worker(number, own))
        awake = Awake()
        for worker in self._workers:
            worker.answer(0, awake, START + self.patience)


class WorkersPlay(TurnLog):
    """One round of it."""

    def __init__(self, world: WorkersWorld, begun: list[Taken], lanes: int) -> None:
        super().__init__()
        self._world = world
        self.first = _joined([part.seen for part in begun if part.seen is not None], world.actions)
        assert len(self.first) == lanes

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn: every worker those of its lanes."""
        asked = []
        for worker in self._world.workers:
            begin, end = max(lane, worker.first), min(lane + len(seen), worker.first + worker.lanes)
            if begin >= end:
                continue
            part = tuple(chosen[begin - lane : end - lane] for chosen in actions)
            living = min(max(0, lane + alive - begin), end - begin)
            worker.send(Take(time, begin - worker.first, end - begin, part, living))
            asked.append(worker)
        found = self._world.answers(asked, time)
        self._rewards.append(np.concatenate([part.rewards for part in found]))
        self._strata.append(np.concatenate([part.strata for part in found]))
        self._ends.append(np.concatenate([part.ends for part in found]))
        self._following.append(_following(found))
        views = [part.seen for part in found if part.seen is not None]
        return _joined(views, self._world.actions) if views else None


def _joined(parts: Sequence[Seen], actions: Sequence[int]) -> Seen:
    """Return what is seen in neighbouring lanes, as if it had been seen at once."""
    of = tuple(np.concatenate(column) for column in zip(*(part.of for part in parts), strict=True))
    legal: tuple[NDArray[np.uint8], ...] = ()
    alive: tuple[NDArray[np.uint8], ...] = ()
    if any(part.legal for part in parts):
        legal = tuple(
            np.concatenate(
                [part.legal[agent] if part.legal else np.ones((len(part), many), np.uint8) for part in parts]
            )
            for agent, many in enumerate(actions)
        )
    if any(part.alive for part in parts):
        alive = tuple(
            np.concatenate(
                [part.alive[agent] if part.alive else np.ones(len(part), np.uint8) for part in parts]
            )
            for agent in range(len(actions))
        )
    states = [part.state for part in parts if part.state is not None]
    state = np.concatenate(states) if states else None
    for array in (*of, *legal, *alive, *(() if state is None else (state,))):
        array.flags.writeable = False
    return Seen(of, legal, alive, state)


def _following(parts: Sequence[Taken]) -> Seen | None:
    """Return what was seen after last steps; zeros in the lanes of those who have seen nothing then."""
    shown = next((part.following for part in parts if part.following is not None), None)
    if shown is None:
        return None
    return _joined(
        [
            _nothing_of(shown, len(part.rewards)) if part.following is None else part.following
            for part in parts
        ],
        (),
    )


def _nothing_of(shown: Seen, lanes: int) -> Seen:
    """Return zeros of the same kind for so many lanes."""
    of = tuple(np.zeros((lanes, view.shape[1]), np.float32) for view in shown.of)
    return Seen(
        of, state=None if shown.state is None else np.zeros((lanes, shown.state.shape[1]), np.float32)
    )


def over_workers(world: World, workers: int, experiment: Experiment, patience: float, folder: Path) -> World:
    """Return a world whose environment is stepped by so many processes; itself, for none.

    Parameters
    ----------
    world : World
        As policies see it.
    workers : int
    experiment : Experiment
        That names it.
    patience : float
        Seconds without progress after which a run is given up.
    folder : Path
        Where modules of a person's own are looked for.

    Raises
    ------
    InputError
        If it is no environment, or other processes cannot find it.
    """
    if not workers:
        return world
    if isinstance(world, IndexedWorld):
        return IndexedWorld(over_workers(world.world, workers, experiment, patience, folder), world.encoders)
    if isinstance(world, OneHotWorld):
        return OneHotWorld(over_workers(world.world, workers, experiment, patience, folder))
    if not isinstance(world, EnvironmentWorld):
        raise InputError(
            f"environment-workers step environments of PettingZoo, Gymnasium or module:function; "
            f"{experiment.game} is none, and all its lanes are stepped at once"
        )
    if ":" not in experiment.game or experiment.game.startswith("object:"):
        raise InputError(
            "environment-workers need an environment that other processes find: name it module:function"
        )
    return WorkersWorld(world, workers, Open(experiment, patience, folder, 0))


def close_world(world: World) -> None:
    """Let go of whatever a world holds."""
    while isinstance(world, IndexedWorld | OneHotWorld):
        world = world.world
    close = getattr(world, "close", None)
    if close is not None:
        close()
