"""Hosts without containers: a network namespace each, with an address of its own, joined by a bridge.

Nothing leaves these namespaces: the bridge lives in one of them and has no way out.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnpg.lab.testing.scratch import Scratch


def ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True, timeout=20)


class Hosts:
    """Named hosts 10.77.0.1, 10.77.0.2, .. and the processes on them."""

    def __init__(self, scratch: Scratch) -> None:
        self.path = scratch.path
        self._environment = scratch.environment
        self._tag = f"bnpg{secrets.token_hex(3)}"
        self._namespaces: list[str] = []
        self.address: dict[str, str] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._switch = self._namespace("switch")
        self._in(self._switch, "ip", "link", "add", "br0", "type", "bridge")
        self._in(self._switch, "ip", "link", "set", "br0", "up")

    def _namespace(self, name: str) -> str:
        namespace = f"{self._tag}-{name}"
        ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        self._in(namespace, "ip", "link", "set", "lo", "up")
        return namespace

    def _in(self, namespace: str, *command: str) -> None:
        subprocess.run(
            ["nsenter", f"--net=/run/netns/{namespace}", *command],
            check=True,
            capture_output=True,
            timeout=20,
        )

    def add(self, name: str) -> None:
        """Bring a host into being."""
        namespace = self._namespace(name)
        port = f"to-{name}"
        self._in(
            self._switch,
            "ip",
            "link",
            "add",
            port,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            namespace,
        )
        self._in(self._switch, "ip", "link", "set", port, "master", "br0")
        self._in(self._switch, "ip", "link", "set", port, "up")
        self.address[name] = f"10.77.0.{len(self.address) + 1}"
        self._in(namespace, "ip", "address", "add", f"{self.address[name]}/24", "dev", "eth0")
        self._in(namespace, "ip", "link", "set", "eth0", "up")
        (self.path / name).mkdir()

    def cable(self, name: str, plugged: bool) -> None:
        """Pull the cable of a host, or plug it in again."""
        self._in(self._switch, "ip", "link", "set", f"to-{name}", "up" if plugged else "down")

    def start(self, host: str, *arguments: str) -> None:
        """Start `bnpg ARGUMENTS` on a host, in a folder of its own."""
        folder = self.path / host
        with (folder / "log").open("ab") as log:
            there = ["nsenter", f"--net=/run/netns/{self._tag}-{host}"]
            self.processes[host] = subprocess.Popen(
                [*there, sys.executable, "-P", "-m", "bnpg", *arguments],
                cwd=folder, env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip

    def log(self, host: str) -> str:
        return (self.path / host / "log").read_text()

    def until(self, what: str, true: Callable[[], bool], seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n" + "\n".join(
                f"--- {host}\n{self.log(host)}" for host in self.processes
            )
            time.sleep(0.005)

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for namespace in self._namespaces:
            ip("netns", "delete", namespace, check=False)


@pytest.fixture
def hosts(scratch: Scratch) -> Iterator[Hosts]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None and not os.environ.get("CI"):
        pytest.skip("network namespaces need iproute2 (Debian: apt-get install iproute2)")
    made = Hosts(scratch)
    try:
        yield made
    finally:
        made.close()
    left = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    assert made._tag not in left


@pytest.fixture(scope="session")
def digest_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    def digest(*experiment: str) -> str:
        out: Path = tmp_path_factory.mktemp("memory") / "run"
        command = [
            sys.executable,
            "-P",
            "-m",
            "bnpg",
            "train",
            *experiment,
            "--launcher",
            "memory",
            "--out",
            str(out),
        ]
        done = subprocess.run(
            [*command, "--json", "--quiet", "--no-fsync"],
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        return str(json.loads(done.stdout)["policy_digest"])

    return digest
