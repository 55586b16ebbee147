"""One `docker compose` project, and what can be done to its containers and their networks."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil


def docker(*arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command of docker; one that fails fails the test."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done


class Deployment:
    """A project with a name of its own, so that several can live side by side.

    Parameters
    ----------
    project : Path
        Folder of docker-compose.yml.
    name : str
    runs : Path
        Where the run folders go; made by the engine.
    """

    def __init__(self, project: Path, name: str, runs: Path) -> None:
        self.project = project
        self.name = name
        self.runs = runs
        self.files = ["docker-compose.yml"]
        self.environment = {"BNPG_RUNS": str(runs), "BNPG_OPTIONS": "", "COMPOSE_PROJECT_NAME": name}

    # compose

    def compose(self, *arguments: str, timeout: float = 150) -> subprocess.CompletedProcess[str]:
        """Run a command of docker compose for this project."""
        files = [part for file in self.files for part in ("-f", file)]
        return subprocess.run(
            ["docker", "compose", "--progress", "quiet", *files, *arguments],
            cwd=self.project, env=os.environ | self.environment,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def plan(self, game: str, options: str) -> None:
        """Say what is run."""
        self.environment |= {"BNPG_GAME": game, "BNPG_OPTIONS": options}

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end in the foreground, as the README says."""
        return self.compose("up", "--abort-on-container-exit", "--exit-code-from", "coordinator", *arguments)

    def start(self, *arguments: str) -> None:
        """Run in the background."""
        done = self.compose("up", "--detach", *arguments)
        assert done.returncode == 0, done.stderr[-2000:]

    def down(self) -> None:
        """Remove everything."""
        self.compose("down", "--volumes", "--timeout", "1")
        if self.environment.get("BNPG_IMAGE"):
            docker("image", "rm", self.environment["BNPG_IMAGE"], check=False)

    def logs(self) -> str:
        """Return the last lines of every container."""
        return self.compose("logs", "--no-color", "--tail", "60").stdout

    def leftovers(self) -> list[str]:
        """Return what is left of this project."""
        label = f"label=com.docker.compose.project={self.name}"
        found = [docker("ps", "-aq", "--filter", label).stdout.split()]
        found += [
            docker(kind, "ls", "-q", "--filter", label).stdout.split() for kind in ("network", "volume")
        ]
        return [one for some in found for one in some]

    # the run

    @property
    def run(self) -> Path:
        """Folder of the run, on this machine."""
        return self.runs / "compose"

    def summary(self) -> dict[str, Any]:
        """How the run ended."""
        return dict(json.loads((self.run / "summary.json").read_text()))

    def reach(self, round_: int, deadline: float = 60.0) -> None:
        """Wait until the run has come so far."""
        until = time.monotonic() + deadline
        while self.rounds() < round_:
            if time.monotonic() > until:
                raise AssertionError(f"round {round_} was not reached in {deadline} s:\n{self.logs()}")
            time.sleep(0.05)

    def rounds(self) -> int:
        """Rounds recorded so far."""
        file = self.run / "metrics.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def wait(self, deadline: float = 90.0) -> int:
        """Wait for the coordinator's end; return its exit code."""
        return int(docker("wait", self.container("coordinator"), timeout=deadline).stdout)

    # containers

    def container(self, service: str, number: int = 1) -> str:
        """Return the name of a container."""
        return f"{self.name}-{service}-{number}"

    def inspect(self, container: str, field: str) -> str:
        """Return what the engine says of a container."""
        return docker("inspect", "--format", f"{{{{{field}}}}}", container).stdout.strip()

    def until(self, container: str, field: str, value: str, deadline: float = 30.0) -> None:
        """Wait until the engine says so of a container."""
        until = time.monotonic() + deadline
        while (now := self.inspect(container, field)) != value:
            assert time.monotonic() < until, f"{container}: {field} is {now}, not {value} after {deadline} s"
            time.sleep(0.1)

    def pid(self, container: str) -> int:
        """Return the first process of a container."""
        return int(self.inspect(container, ".State.Pid"))

    def process(self, container: str, title: str) -> int:
        """Return the process of a container that has this title."""
        for process in psutil.Process(self.pid(container)).children(recursive=True):
            if process.cmdline()[:1] == [title]:
                return process.pid
        raise AssertionError(f"no {title} in {container}")

    def inside(self, container: str, *command: str) -> None:
        """Run a command of this machine in the network namespace of a container."""
        subprocess.run(["nsenter", "-t", str(self.pid(container)), "-n", *command], check=True, timeout=20)

    def interface(self, container: str) -> str:
        """Name of the container's interface on the private network."""
        listed = subprocess.run(
            ["nsenter", "-t", str(self.pid(container)), "-n", "ip", "-j", "address"],
            check=True, capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        names = [one["ifname"] for one in json.loads(listed.stdout) if one["ifname"] != "lo"]
        return str(names[0])
