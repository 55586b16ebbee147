"""Whole runs, as a person starts them, and the time of a step in them.

The run record says how long every round took, by the coordinator's own clock. The first round is left out: it
holds the start-up. A round holds everything: steps, the shared signal, the update and its storage.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from bnpg_coordinator.line import Line, number
from bnpg_protocol.wire.exit_codes import ExitCode
from msgspec import Struct

from bnpg.execution import execute
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.usage import Footprint, Usage, footprint, usage
from bnpg.launchers.launch import Launch
from bnpg.launchers.registry import find_launcher
from bnpg.launchers.settings import LaunchSettings, settings_from
from bnpg.run_creation import create_run_folder


class Workload(Struct, frozen=True, kw_only=True):
    """What is run: the same number of steps in every round."""

    game: str
    dag: str
    lanes: int = 1
    horizon: int = 100
    rounds: int = 5
    """Rounds in all; the first is not measured."""
    mode: str = "sampled"
    trace: bool = False
    simulated: bool = False
    """Whether `game` is a simulator; `horizon` are the steps of a round then."""
    policy: str = "table"

    @property
    def steps(self) -> int:
        """Steps a round; a round of the exact mode is one."""
        return self.horizon if self.mode == "sampled" else 1

    def experiment(self) -> dict[str, Any]:
        """Return the fields of an experiment file."""
        common = {"game": self.game, "dag": self.dag, "rounds": self.rounds, "mode": self.mode}
        length = "steps" if self.simulated else "horizon"
        sampled = {"lanes": self.lanes, length: self.horizon} if self.mode == "sampled" else {}
        network = {} if self.policy == "table" else {"policy": self.policy}
        return common | sampled | network | {"evaluate-every": 0, "trace": self.trace, "learning-rate": 0.1}


class BenchmarkFailed(RuntimeError):
    """A run that was to be measured did not come to its end."""


class Watch:
    """Looks at the processes of a run whenever a round ends."""

    def __init__(self, rounds: int, processes: list[psutil.Process] | None = None) -> None:
        self._rounds = rounds
        self._launched = time.monotonic()
        self._processes = processes
        self._others = {child.pid for child in psutil.Process().children()}
        self._looks: list[Usage] = []
        self.ready_seconds: float | None = None
        self.round_seconds: list[float] = []
        self.footprints: dict[str, Footprint] = {}
        """Of the `coordinator`, and of the agents by process id: in the middle of the run, or at its
        beginning if they were gone when somebody looked."""
        self._weighed = False

    def line(self, line: Line) -> None:
        """Take in a line of the run record."""
        round_ = line.round
        processes = self._processes
        if processes is None:
            processes = [one for one in psutil.Process().children() if one.pid not in self._others]
        if round_ == 0:
            self.ready_seconds = time.monotonic() - self._launched
        if 0 < round_ < self._rounds:
            self.round_seconds.append(number(line.seconds) or 0.0)
        self._looks.append(usage(processes))
        middle = round_ >= self._rounds // 2
        if not self._weighed and (middle or not self.footprints):
            self._weigh(processes)
            self._weighed = middle

    def _weigh(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            found = footprint(process)
            if found is not None:
                self.footprints[_name(process)] = found

    def sample(self, steps: int) -> Sample:
        """Return what was found; `steps` are those of one round."""
        if not self.round_seconds:
            raise BenchmarkFailed("no round was measured")
        seconds = statistics.median(self.round_seconds) / steps
        sample = Sample(seconds=seconds, steps=steps * len(self.round_seconds))
        sample.ready_seconds = self.ready_seconds
        whole = [look for look in self._looks if look.processes == self._looks[0].processes > 0]
        if len(whole) > 1 and whole[-1].at > whole[0].at:
            # A look may come a little after its line: what is used a second does not depend on that.
            elapsed = whole[-1].at - whole[0].at
            sample.cpu_seconds = (whole[-1].cpu - whole[0].cpu) / elapsed * seconds
            sample.switches = (whole[-1].switches - whole[0].switches) / elapsed * seconds
        agents = [found for name, found in self.footprints.items() if name != "coordinator"]
        if agents:
            sample.agent_bytes = statistics.fmean(one.unique for one in agents)
            sample.agent_resident_bytes = statistics.fmean(one.resident for one in agents)
        if "coordinator" in self.footprints:
            sample.coordinator_bytes = float(self.footprints["coordinator"].unique)
        return sample


def _name(process: psutil.Process) -> str:
    """Return `coordinator`, or something else: a process of a run shows its name instead of its command."""
    try:
        words = process.cmdline()
    except psutil.Error:
        words = []
    return "coordinator" if words and words[0].startswith("bnpg-coordinator") else str(process.pid)


def measure(workload: Workload, launch: Launch | None = None, **settings: Any) -> Sample:
    """Run a workload in a folder that is thrown away, and return the time of a step.

    Parameters
    ----------
    workload : Workload
    launch : callable, optional
        Another launcher than those that the settings can name.
    settings
        Launch settings, by their names in Python: `launcher`, `transport`, `fsync` ...

    Raises
    ------
    BenchmarkFailed
        If the run does not come to its end.
    KeyboardInterrupt
        If somebody ended it.
    """
    chosen: LaunchSettings = settings_from(
        {"log-level": "error"} | {name.replace("_", "-"): value for name, value in settings.items()}
    )
    plan = plan_experiment(workload.experiment())
    with tempfile.TemporaryDirectory(prefix="bnpg-bench-") as parent:
        folder = create_run_folder(plan, chosen, Path(parent) / "run")
        own = [psutil.Process()] if chosen.launcher == "memory" else None
        watch = Watch(workload.rounds, own)
        ended = execute(folder, chosen, launch or find_launcher(chosen.launcher), watch.line, curves=False)
    if ended.outcome.code == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt  # the launcher took it as meant for its run alone
    if ended.outcome.code != ExitCode.DONE:
        raise BenchmarkFailed(
            f"{workload.game}, DAG {workload.dag}: {ended.outcome.why or ended.outcome.code}"
        )
    sample = watch.sample(workload.steps)
    sample.digest = str(ended.summary.get("policy_digest", ""))
    if chosen.launcher == "memory":
        sample.agent_bytes = sample.agent_resident_bytes = sample.coordinator_bytes = None
    return sample
