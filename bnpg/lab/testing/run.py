"""A run with real processes under the eyes of a test."""

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
from bnpg_agents.checkpoint import load_latest
from bnpg_coordinator.experiment import Experiment, experiment_toml
from bnpg_coordinator.line import Line
from bnpg_coordinator.run_record import read_lines
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.scratch import Scratch, kill_all
from bnpg.launchers.settings import LaunchSettings
from bnpg_math.arrays import FloatArray
from bnpg_math.policies.joint import policy_digest

LOOK_EVERY = 0.005
"""Seconds between two looks at what a test waits for."""
DEADLINE = 60.0
"""Seconds a test waits for anything at the most."""


class Run:
    """One run: its launcher and its processes, its folder and its results.

    Parameters
    ----------
    folder : Path
        Made here, with the experiment.
    experiment : Experiment
    settings : LaunchSettings
    scratch : Scratch
        Where its processes work.
    """

    def __init__(
        self, folder: Path, experiment: Experiment, settings: LaunchSettings, scratch: Scratch
    ) -> None:
        self.folder = folder
        self.experiment = experiment
        self.settings = settings
        self._scratch = scratch
        self._launcher: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._held: psutil.Process | None = None
        folder.mkdir(parents=True)
        (folder / "experiment.toml").write_text(experiment_toml(experiment))
        (folder / "run.json").write_text(json.dumps({"run": secrets.token_hex(16), "game": experiment.game}))

    # Living

    def start(self) -> None:
        """Start the launcher, or start it again: the run goes on where it was."""
        assert self._launcher is None or self._launcher.poll() is not None, "the run is running already"
        self._held = None
        self._starts += 1
        command = [sys.executable, "-P", "-m", "bnpg.lab.testing.launch", str(self.folder.resolve())]
        with self._log_file.open("wb") as log:
            self._launcher = subprocess.Popen(
                [*command, msgspec.json.encode(self.settings).decode()],
                cwd=self._scratch.path,
                env=self._scratch.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, seconds: float = DEADLINE) -> ExitCode:
        """Wait until the launcher has ended and return its exit code."""
        assert self._launcher is not None
        self._go_on()
        try:
            return ExitCode(self._launcher.wait(seconds))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the run goes on after {seconds:g} s; its log:\n{self.log}") from None

    def until(self, reached: Callable[[], bool], what: str) -> None:
        """Watch until something is so; fail if the run ends before."""
        self._go_on()
        self._watch(reached, what)

    def _watch(self, reached: Callable[[], bool], what: str) -> None:
        assert self._launcher is not None
        deadline = time.monotonic() + DEADLINE
        while not reached():
            ended = self._launcher.poll()
            if ended is not None and not reached():
                raise AssertionError(f"the run ended with {ended} before {what}; its log:\n{self.log}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not {what} after {DEADLINE:g} s; the log:\n{self.log}")
            time.sleep(LOOK_EVERY)

    def until_round(self, round_: int) -> None:
        """Watch the run record until the line of a round is there, and hold the run there.

        The coordinator is stopped at once, so that no machine is too fast for what a test does next. The run
        goes on when that is done: with the next kill, signal, freezing, waiting or watching.
        """
        self._go_on()
        coordinator: psutil.Process | None = None

        def reached() -> bool:
            nonlocal coordinator
            if coordinator is None or not _lives(coordinator):
                coordinator = self._working_coordinator()
            return coordinator is not None and self._whole_lines > round_

        self._watch(reached, f"round {round_} was recorded")
        assert coordinator is not None
        coordinator.suspend()
        # Until it stands, a signal with a lower number than that of the stop would be taken first.
        self._watch(lambda: _stands(coordinator), "the coordinator stood still")
        self._held = coordinator

    def _working_coordinator(self) -> psutil.Process | None:
        """Return the coordinator that works; an earlier life may be there as well, frozen."""
        for process in self._scratch.processes():
            with suppress(psutil.NoSuchProcess):
                if _name(process) == "coordinator" and process.status() != psutil.STATUS_STOPPED:
                    return process
        return None

    def _go_on(self) -> None:
        """Let a run go on that is held at a round."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(psutil.NoSuchProcess):
                held.resume()

    @property
    def launcher(self) -> psutil.Process:
        """The launcher's process."""
        assert self._launcher is not None
        return psutil.Process(self._launcher.pid)

    @property
    def processes(self) -> dict[str, psutil.Process]:
        """The living processes of the run by name: `coordinator`, `agent-0`, .."""
        found = {}
        for process in self._scratch.processes():
            name = _name(process)
            if name is not None:
                found[name] = process
        return found

    def process(self, name: str) -> psutil.Process:
        """Return a process of the run, waiting until it is there."""
        if name not in self.processes:
            self.until(lambda: name in self.processes, f"{name} was started")
        return self.processes[name]

    def kill(self, name: str) -> None:
        """End a process as the kernel does: SIGKILL."""
        process = self.process(name)
        process.kill()
        self._go_on()
        _gone([process])

    def freeze(self, name: str) -> None:
        """SIGSTOP a process."""
        process = self.process(name)
        process.suspend()
        if process == self._held:
            self._held = None  # it is to stay as it is
        self._go_on()

    def thaw(self, name: str) -> None:
        """SIGCONT a process."""
        self.process(name).resume()

    def interrupt(self) -> None:
        """Do to the launcher what Ctrl-C does."""
        self.launcher.send_signal(signal.SIGINT)
        if (held := self._held) is not None:
            # A run that is held goes on when it is asked to end, and not some rounds before.
            self._watch(lambda: not _lives(held) or _is_told_to_end(held), "it was told to end")
        self._go_on()

    def kill_launcher(self) -> None:
        """SIGKILL the launcher alone; its processes are on their own then."""
        assert self._launcher is not None
        self._launcher.kill()
        self._launcher.wait()
        self._go_on()
        self._scratch.excuse_files()

    def kill_everything(self) -> None:
        """SIGKILL launcher and processes at once, as a power cut does."""
        assert self._launcher is not None
        processes = list(self.processes.values())
        self._launcher.kill()
        kill_all(processes)
        self._launcher.wait()
        _gone(processes)
        self._scratch.excuse_files()

    def end(self) -> None:
        """Kill what is still running."""
        if self._launcher is not None and self._launcher.poll() is None:
            self.kill_everything()

    # Results

    @property
    def recorded(self) -> int:
        """Number of lines in the run record."""
        return len(read_lines(self.folder / "metrics.jsonl"))

    @property
    def _whole_lines(self) -> int:
        """The same, counted fast and without a look at what they say."""
        record = self.folder / "metrics.jsonl"
        return record.read_bytes().count(b"\n") if record.exists() else 0

    @property
    def lines(self) -> list[Line]:
        """The run record without its wall times."""
        return [line.untimed for line in read_lines(self.folder / "metrics.jsonl")]

    @property
    def status(self) -> dict[str, Any]:
        """What the coordinator last said of itself; empty if nothing yet."""
        file = self.folder / "status.json"
        return dict(json.loads(file.read_bytes())) if file.exists() else {}

    @property
    def summary(self) -> dict[str, Any]:
        """How the run ended."""
        return dict(json.loads((self.folder / "summary.json").read_bytes()))

    @property
    def thetas(self) -> list[FloatArray]:
        """The newest theta that every agent holds, in agent order."""
        folders = sorted((self.folder / "agents").iterdir(), key=lambda one: int(one.name.split("-")[1]))
        held = [load_latest(one) for one in folders]
        newest = min(max(one) for one in held)
        return [one[newest] for one in held]

    @property
    def digest(self) -> str:
        """The `policy_digest` of the newest thetas."""
        return policy_digest(self.thetas)

    @property
    def trace_folder(self) -> Path:
        """Where the message trace of the processes is, if the experiment asks for one."""
        return self.folder / "trace"

    @property
    def log(self) -> str:
        """What launcher and processes logged since the last start."""
        return self._log_file.read_text(errors="replace")

    @property
    def _log_file(self) -> Path:
        return self._scratch.path / f"{self.folder.name}-{self._starts}.log"


def _name(process: psutil.Process) -> str | None:
    """Return the name of a process of a run, from its title or, before it has one, its command line."""
    try:
        words = [word for word in process.cmdline() if word]
    except psutil.NoSuchProcess:
        return None
    if len(words) == 1 and words[0].startswith("bnpg-"):
        return words[0].removeprefix("bnpg-")
    if "-m" in words and words[words.index("-m") + 1] == "bnpg_coordinator":
        return "coordinator"
    if "--agent" in words:
        return f"agent-{words[words.index('--agent') + 1]}"
    return None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _stands(process: psutil.Process) -> bool:
    """Whether a process is stopped, or gone."""
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _is_told_to_end(process: psutil.Process) -> bool:
    """Whether SIGTERM waits for a process that is stopped; so it is where the system does not tell."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return True
    pending = next(line.split()[1] for line in lines if line.startswith("ShdPnd:"))
    return bool(int(pending, 16) & 1 << signal.SIGTERM - 1)


def _gone(processes: list[psutil.Process]) -> None:
    """Wait until killed processes are no more, or nothing but zombies of their parents."""
    deadline = time.monotonic() + DEADLINE
    while any(_alive(process) for process in processes):
        assert time.monotonic() < deadline, f"{processes} survive SIGKILL"
        time.sleep(LOOK_EVERY)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def make_run(folder: Path, scratch: Scratch, settings: dict[str, Any], experiment: dict[str, Any]) -> Run:
    """Return a run that is not started yet; settings and experiment are checked as the user's are."""
    given = {key.replace("_", "-"): value for key, value in experiment.items()}
    return Run(
        folder,
        msgspec.convert(given, Experiment),
        LaunchSettings(**settings),
        scratch,
    )
