"""A secured run of three real agents, with a fourth key on the roster that a test may misuse."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from bnpg_protocol.process.security.keys import KeyFile, KeyPair, read_key_file
from bnpg_protocol.wire.codec import encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import Message

from bnpg.lab.testing.scratch import Scratch

GAME = "coordination(agents=3)"
OPTIONS = ["--rounds", "60", "--lanes", "8", "--horizon", "4", "--evaluate-every", "100", "--save-policy"]
HELD = "agent-2"
"""The agent that is stopped while a test attacks: without its answers the run cannot end too early."""
STALL = 60.0
"""Seconds a run may take for one round on the busiest machine."""
ROGUE = 3
"""An id that is on the roster, but has no place in the game."""


class Attacker:
    """A raw socket, with whatever keys the test gives it."""

    def __init__(self, endpoint: str, server: str = "", pair: KeyPair | None = None) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.SNDHWM, 0)
        self.socket.set(zmq.RECONNECT_IVL, 50)
        if pair is not None:
            self.socket.set(zmq.CURVE_SERVERKEY, server.encode())
            self.socket.set(zmq.CURVE_PUBLICKEY, pair.public.encode())
            self.socket.set(zmq.CURVE_SECRETKEY, pair.secret.encode())
        self.socket.connect(endpoint)

    def send(self, *frames: Any) -> None:
        self.socket.send_multipart(list(frames))

    def say(self, message: Message, sender: int = ROGUE, run: str = "?", **envelope: int) -> None:
        """Send a well-formed message, under whatever name."""
        fields = {"generation": 1, "epoch": 1, "incarnation": 1, "seq": 1, "ack": 0, "lamport": 1} | envelope
        self.send(*encode(Envelope(run=run, sender=sender, message=message, **fields)))

    def hears(self, seconds: float) -> bool:
        return bool(self.socket.poll(int(seconds * 1000)))

    def close(self) -> None:
        self._context.destroy(linger=0)


class SecuredRun:
    """A coordinator and its agents with keys, as processes of their own."""

    def __init__(self, scratch: Scratch) -> None:
        self.path = scratch.path
        self._environment = scratch.environment
        self.keys = self.path / "keys"
        self.run = self.path / "run"
        self.front = f"ipc://{self.path}/front.ipc"
        self.inboxes: dict[int, str] = {}
        """Where agents listen that do not listen on ipc."""
        self.descriptors = 0
        """How many each process that is started may have; 0: as many as the test itself."""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._attackers: list[Attacker] = []
        assert self.bnpg("keys", "new", str(self.keys), "--agents", "4").returncode == 0

    def bnpg(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "bnpg", *arguments],
            cwd=self.path, env=self._environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def _start(self, name: str, *command: str) -> None:
        most = ["prlimit", f"--nofile={self.descriptors}"] if self.descriptors else []
        with (self.path / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*most, sys.executable, "-P", *command],
                cwd=self.path,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def start_coordinator(self, *options: str) -> None:
        self._start(
            "coordinator", "-m", "bnpg", "coordinator", GAME, *OPTIONS, "--listen", self.front, "--no-fsync",
            "--out", str(self.run), "--key", str(self.keys / "coordinator.key"),
            "--roster", str(self.keys / "roster.toml"), "--patience", "40", *options,
        )  # fmt: skip

    def start_agent(
        self, agent: int, *options: str, name: str = "", key: Path | None = None, program: str = ""
    ) -> None:
        runs = [program] if program else ["-m", "bnpg_agents"]
        self._start(
            name or f"agent-{agent}", *runs, "--agent", str(agent), "--connect", self.front,
            "--inbox", self.inbox(agent), "--state", str(self.path / f"state-{name or agent}"),
            "--key", str(key or self.key_file(agent)), "--patience", "40", "--no-fsync", *options,
        )  # fmt: skip

    def start(self, *agents: int) -> None:
        self.start_coordinator()
        for agent in agents or (0, 1, 2):
            self.start_agent(agent)

    def under_way(self) -> None:
        """Start everything and hold the run in its midst, until `finish` lets it go on.

        An attack takes its time, and on a busy machine the run would be over before it began.
        """
        self.start()
        self.hold()

    def hold(self) -> None:
        """Hold a run that was started in its midst."""
        self.reach(5)
        coordinator = self.processes["coordinator"].pid
        os.kill(coordinator, signal.SIGSTOP)  # nothing goes on meanwhile
        os.kill(self.processes[HELD].pid, signal.SIGSTOP)
        os.kill(coordinator, signal.SIGCONT)
        assert not (self.run / "summary.json").exists(), "the run is too short to be held"

    def inbox(self, agent: int) -> str:
        return self.inboxes.get(agent, f"ipc://{self.path}/inbox-{agent}.ipc")

    def key_file(self, agent: int) -> Path:
        return self.keys / f"agent-{agent}.key"

    def key(self, agent: int) -> KeyFile:
        return read_key_file(self.key_file(agent))

    @property
    def server(self) -> str:
        return read_key_file(self.keys / "coordinator.key").public

    def attacker(self, endpoint: str = "", pair: KeyPair | None = None, server: str = "") -> Attacker:
        """Return a rogue that has its own valid key, unless the test gives it another."""
        pair = self.key(ROGUE).pair if pair is None else pair
        self._attackers.append(Attacker(endpoint or self.front, server or self.server, pair))
        return self._attackers[-1]

    def stranger(self) -> Attacker:
        """Return somebody without any key."""
        self._attackers.append(Attacker(self.front))
        return self._attackers[-1]

    def log(self, name: str) -> str:
        return (self.path / f"{name}.log").read_text()

    def status(self) -> dict[str, Any]:
        file = self.run / "status.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    @property
    def identity(self) -> str:
        return str(json.loads((self.run / "run.json").read_text())["run"])

    def until(self, what: str, true: Callable[[], bool], seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {seconds:g} s: {what}\n{self.status()}\n{self.log('coordinator')}"
                )
            time.sleep(0.005)

    def refused(self, reason: str, counter: str = "refused") -> int:
        return int(self.status().get(counter, {}).get(reason, 0))

    def rounds(self) -> int:
        file = self.run / "metrics.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def reach(self, round_: int) -> None:
        self.until(f"round {round_}", lambda: self.rounds() >= round_)

    def resident(self) -> int:
        """Bytes of memory the coordinator has."""
        return int(psutil.Process(self.processes["coordinator"].pid).memory_info().rss)

    def finish(self) -> str:
        """Let the run go on, and wait for its end as long as it makes progress; return its policy digest."""
        held, coordinator = self.processes.get(HELD), self.processes["coordinator"]
        if held is not None and held.poll() is None:
            os.kill(held.pid, signal.SIGCONT)
        rounds = -1
        while coordinator.poll() is None:
            reached, rounds = rounds, self.rounds()
            assert rounds > reached, f"no round in {STALL:g} s\n{self.status()}\n{self.log('coordinator')}"
            with suppress(subprocess.TimeoutExpired):
                coordinator.wait(STALL)
        assert coordinator.returncode == 0, self.log("coordinator")
        return str(json.loads((self.run / "summary.json").read_text())["policy_digest"])

    def close(self) -> None:
        for attacker in self._attackers:
            attacker.close()
        for file in self.path.glob("*.ipc"):
            file.unlink()
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def secured(scratch: Scratch) -> Iterator[SecuredRun]:
    run = SecuredRun(scratch)
    yield run
    run.close()


@pytest.fixture(scope="session")
def right_digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The policy digest of the undisturbed run, all in one process."""
    out = tmp_path_factory.mktemp("memory") / "run"
    command = [
        sys.executable,
        "-P",
        "-m",
        "bnpg",
        "train",
        GAME,
        *OPTIONS,
        "--launcher",
        "memory",
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [*command, "--json", "--quiet", "--no-fsync"], capture_output=True, text=True, timeout=100, check=True
    )
    return str(json.loads(done.stdout)["policy_digest"])
