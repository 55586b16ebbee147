"""The runs of a sweep as an array of Slurm jobs.

Each element of the array runs one run after the other, as long as there are any: an array of a few long jobs
waits in the queue once, where a job a run would wait each time. An element that ends early, at its limit or
because its host died, is submitted again, and its runs go on where they were.

An array outlives a sweep that is killed. So a sweep has a folder an attempt, in which it notes its arrays::

    slurm/ATTEMPT/
        array-JOB      for each array, whose number is in the name
        ended-NUMBER   for each run that has ended
        jobs/          what submitit needs

The next attempt cancels what is noted and waits until that is gone. An element of which nobody knew ends with
the folder that it belongs to: at the latest after its present run, and without a word to the new attempt.
"""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from bnpg_protocol.process.endings import noting
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.named_place import unwritable
from bnpg.sweeps.pool import LIVES, Ending, Listener, Surroundings, Task
from bnpg.sweeps.task import run_task
from bnpg_files.reading import read_text
from bnpg_math.errors import InputError

LOOK_EVERY = 1.0
"""Seconds between two looks at the array."""
ASK_EVERY = 5.0
"""Seconds between two questions to Slurm which elements are still there."""
ASK_PATIENCE = 60.0
"""Seconds that Slurm has for an answer."""
GONE = 120.0
"""Seconds that an array has to be gone once it is cancelled; Slurm gives a job half a minute to end."""
LIMIT = "1:00:00"
"""Time limit of an element, if nobody says another."""


def run_tasks(tasks: Sequence[tuple[int, Mapping[str, Any]]], folder: str) -> None:
    """Run tasks one after the other; leave how each ended in a file of its own in a folder.

    This is what an element of the array does. One that is told to end leaves its run, and those after it, to
    the next array; so does one whose folder is gone, as its sweep is.
    """
    for number, content in tasks:
        if not Path(folder).is_dir():
            return
        ended = run_task(dict(content))
        if ended["code"] == ExitCode.INTERRUPTED:
            return
        file = Path(folder) / f"ended-{number}"
        draft = file.with_suffix(".tmp")
        with suppress(FileNotFoundError):  # the sweep has gone meanwhile, and its folder with it
            draft.write_text(f"{ended['code']} {ended['why']}", encoding="utf-8")
            os.replace(draft, file)


class SlurmPool:
    """Runs tasks as an array of jobs.

    Parameters
    ----------
    jobs : int
        Elements of the array.
    listener : Listener
    surroundings : Surroundings
        Folder, on a disk of all hosts, and more options of the jobs, as `sbatch` has them.
    """

    def __init__(self, jobs: int, listener: Listener, surroundings: Surroundings) -> None:
        if shutil.which("sbatch") is None:
            raise InputError("--engine slurm: expected Slurm's sbatch on the PATH, found none")
        self._jobs = jobs
        self._listener = listener
        self._attempts = surroundings.folder / "slurm"
        self._folder = self._attempts / secrets.token_hex(4)
        self._options = dict(surroundings.options)
        self._name = self._options.get("job-name", "bnpg-sweep")
        self._interrupts = 0

    def run(self, tasks: Sequence[Task]) -> bool:
        """Run all tasks; return whether that was interrupted.

        Raises
        ------
        InputError
            If Slurm takes no jobs, their folder cannot be made, or an earlier attempt's array does not end.
        StorageFailed
            If the machine is short of something, such as room.
        """
        left = {task.number: task for task in tasks}
        with noting(self._note):
            self._end_attempts_before()
            if self._interrupts:
                return True
            shutil.rmtree(self._attempts, ignore_errors=True)
            try:
                self._attempts.mkdir(parents=True, exist_ok=True)
                self._folder.mkdir()
            except OSError as error:
                raise unwritable(f"{self._attempts} cannot be made", error) from None
            for life in range(1, LIVES + 1):
                submitted = self._submit(list(left.values()))
                try:
                    self._keep(submitted)
                    self._follow(submitted, left)
                finally:
                    for job in submitted:
                        job.cancel()
                if self._interrupts or not left:
                    break
                if life == LIVES:
                    for number in list(left):
                        why = f"its job ended before it did, as did {LIVES - 1} before it"
                        self._ended(left, number, Ending(ExitCode.PEER_FAILED, why))
        return self._interrupts > 0

    def _note(self) -> None:
        self._interrupts += 1

    def _end_attempts_before(self) -> None:
        """Cancel what attempts before this one have left with Slurm, and wait until it is gone."""
        noted = [file.name.removeprefix("array-") for file in self._attempts.glob("*/array-*")]
        # Slurm gives a number again some day, so the name must be right too.
        name = f"--name={self._name}"
        arrays = [array for array in noted if array.isdecimal() and _there(array, name)]
        for array in arrays:
            cancel = ["scancel", name, array]
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(cancel, capture_output=True, timeout=ASK_PATIENCE, check=False)
        deadline = time.monotonic() + GONE
        while arrays and not self._interrupts:
            time.sleep(LOOK_EVERY)
            arrays = [array for array in arrays if _there(array, name)]
            if arrays and time.monotonic() >= deadline:
                raise InputError(
                    f"--engine slurm: job {arrays[0]} of this sweep, which was killed before, is still there "
                    f"{GONE:g} s after scancel, or squeue does not answer: expected it to end"
                )

    def _keep(self, submitted: list[Any]) -> None:
        """Note an array for the attempts after this one."""
        file = self._folder / f"array-{_array_of(submitted)}"
        try:
            file.touch()
        except OSError as error:
            raise unwritable(f"{file} cannot be made", error) from None

    def _submit(self, tasks: list[Task]) -> list[Any]:
        """Submit an array whose elements share the tasks."""
        submitit = import_module("submitit")
        options = {"time": LIMIT, "job-name": self._name} | self._options
        slots = [tasks[at :: self._jobs] for at in range(min(self._jobs, len(tasks)))]
        shares = [[(task.number, task.content) for task in slot] for slot in slots]
        try:
            executor = submitit.SlurmExecutor(folder=self._folder / "jobs")
            executor.update_parameters(
                time=options.pop("time"),
                job_name=options.pop("job-name"),
                array_parallelism=self._jobs,
                use_srun=False,
                stderr_to_stdout=True,
                additional_parameters={name.replace("-", "_"): value for name, value in options.items()},
            )
            with redirect_stderr(StringIO()):  # submitit would print there what its error says too
                found: list[Any] = executor.map_array(run_tasks, shares, [str(self._folder)] * len(shares))
        except RuntimeError as error:  # no srun, or what sbatch said
            why = " ".join(str(error).split())[:200] or "it does not say why"
            raise InputError(f"--engine slurm: Slurm takes no jobs: {why}") from None
        return found

    def _follow(self, submitted: list[Any], left: dict[int, Task]) -> None:
        """Take in how tasks end until all have, or no element is left."""
        ask_at = time.monotonic() + ASK_EVERY
        gone = False
        while left and not self._interrupts:
            for file in self._folder.glob("ended-*"):
                number = int(file.name.removeprefix("ended-")) if file.suffix == "" else -1
                if number in left:
                    code, _, why = read_text(file, StorageFailed).partition(" ")
                    self._ended(left, number, Ending(ExitCode(int(code)), why))
            if gone:
                return
            if time.monotonic() >= ask_at:
                ask_at = time.monotonic() + ASK_EVERY
                gone = not _there(_array_of(submitted))
            time.sleep(LOOK_EVERY)

    def _ended(self, left: dict[int, Task], number: int, ending: Ending) -> None:
        del left[number]
        self._listener.run_ended(number, ending)


def _array_of(submitted: list[Any]) -> str:
    """Return the number of the array of jobs."""
    return str(submitted[0].job_id).split("_")[0]


def _there(array: str, *only: str) -> bool:
    """Whether Slurm still has such an element of an array; if it does not answer, it has."""
    with suppress(OSError, subprocess.TimeoutExpired):
        asked = subprocess.run(
            ["squeue", "--noheader", f"--jobs={array}", "--states=all", "--array", "--format=%T", *only],
            capture_output=True, text=True, timeout=ASK_PATIENCE, check=False,
        )  # fmt: skip
        if asked.returncode != 0:
            return "Invalid job id" not in asked.stderr
        going = ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "SUSPENDED")
        return any(state in going for state in asked.stdout.split())
    return True
