"""The runs of a sweep on a Ray cluster: an actor a slot, which runs one run after the other.

A task of Ray's own a run would start an interpreter for each, which costs more than most runs.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from bnpg_protocol.process.endings import noting
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers.ray_launcher import connected
from bnpg.sweeps.pool import Ending, Listener, Lives, Surroundings, Task
from bnpg.sweeps.task import run_task

LOOK_EVERY = 0.2
"""Seconds between two looks at interrupts."""


class Slot:
    """What an actor does."""

    def run(self, content: dict[str, Any]) -> tuple[int, str]:
        """Run, or go on with, one run; return how it ended."""
        ended = run_task(content)
        return ended["code"], ended["why"]


class RayPool:
    """Runs tasks by actors, each on a core of the cluster.

    Parameters
    ----------
    jobs : int
        Most actors at a time.
    listener : Listener
    surroundings : Surroundings
        With the address of the cluster.

    Raises
    ------
    InputError
        If there is no such cluster.
    """

    def __init__(self, jobs: int, listener: Listener, surroundings: Surroundings) -> None:
        self._ray = connected(surroundings.address)
        self._jobs = min(jobs, max(1, int(self._ray.cluster_resources().get("CPU", 1))))
        self._listener = listener
        self._lives = Lives(listener, "actor")
        self._interrupts = 0

    def run(self, tasks: Sequence[Task]) -> bool:
        """Run all tasks; return whether that was interrupted."""
        waiting = deque(tasks)
        actors = [self._actor() for _ in range(min(self._jobs, len(tasks)))]
        busy: dict[Any, tuple[Any, Task]] = {}
        with noting(self._note):
            try:
                while (waiting or busy) and not self._interrupts:
                    while waiting and actors:
                        actor, task = actors.pop(), waiting.popleft()
                        busy[actor.run.remote(task.content)] = actor, task
                    ready, _ = self._ray.wait(list(busy), timeout=LOOK_EVERY)
                    for reference in ready:
                        actor, task = busy.pop(reference)
                        again = self._ended(reference, task)
                        waiting.extend([task] if again else [])
                        actors.append(self._actor() if again is not None else actor)
            finally:
                for actor in [*actors, *(actor for actor, _ in busy.values())]:
                    self._ray.kill(actor)  # its run can be resumed
        return self._interrupts > 0

    def _note(self) -> None:
        self._interrupts += 1

    def _actor(self) -> Any:
        return self._ray.remote(num_cpus=1, max_restarts=0)(Slot).remote()

    def _ended(self, answer: Any, task: Task) -> bool | None:
        """Take in how a task ended; of one whose actor left it undone, return whether it is tried again."""
        try:
            code, why = self._ray.get(answer)
        except self._ray.exceptions.RayError:
            return self._lives.left(task, "died")
        if code == ExitCode.INTERRUPTED and not self._interrupts:
            return self._lives.left(task, "was interrupted by somebody else")
        self._listener.run_ended(task.number, Ending(ExitCode(code), why))
        return None
