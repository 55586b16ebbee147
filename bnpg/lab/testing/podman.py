"""The pods of one test, run by podman on a network of their own."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnpg.lab.testing.pods import Manifest, folders_of

USER = 10001
"""Whom the claims belong to, as fsGroup makes it in a cluster."""


class Pods:
    """Pods that are played, deleted and asked for, as a cluster would do it.

    Parameters
    ----------
    podman : str
        The command to use.
    name : str
        Of the network.
    pods : mapping from str to sequence of dict
        What is played for every pod, by its name in the network (`pods_of`).
    """

    def __init__(self, podman: str, name: str, pods: Mapping[str, Sequence[Manifest]]) -> None:
        self._podman = podman
        self._network = name
        self.pods = dict(pods)
        for folder in folders_of(pods):
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, USER, USER)
        self.run("network", "create", "--internal", name)

    def run(
        self, *arguments: str, check: bool = True, timeout: float = 60, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of podman; one that fails fails the test."""
        done = subprocess.run(
            [self._podman, *arguments],
            input=text, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"podman {' '.join(arguments)}: {done.stderr[-2000:]}")
        return done

    def play(self, name: str) -> None:
        """Start a pod under its name in the network, and wait until its init containers are through."""
        documents = "\n---\n".join(json.dumps(one) for one in self.pods[name])
        self.run("kube", "play", "--network", f"{self._network}:alias={name}", "-", text=documents)

    def delete(self, name: str) -> None:
        """Delete a pod at once, as the loss of its node does."""
        self.run("pod", "rm", "--force", "--time", "0", self._documents(name)["metadata"]["name"])

    def container(self, name: str) -> str:
        """Return the container of a pod that is no init container."""
        pod = self._documents(name)
        return f"{pod['metadata']['name']}-{pod['spec']['containers'][0]['name']}"

    def _documents(self, name: str) -> Manifest:
        return self.pods[name][-1]

    def wait(self, name: str, deadline: float = 90.0) -> int:
        """Wait for the end of a pod; return its exit code."""
        return int(self.run("wait", self.container(name), timeout=deadline).stdout)

    def logs(self, name: str) -> str:
        """Return all that a pod has written."""
        done = self.run("logs", self.container(name), check=False)
        return done.stdout + done.stderr

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what podman knows of the container of a pod."""
        return dict(json.loads(self.run("inspect", self.container(name)).stdout)[0])

    def close(self) -> None:
        """Remove everything."""
        for name in self.pods:
            pod = self._documents(name)["metadata"]["name"]
            self.run("pod", "rm", "--force", "--ignore", "--time", "0", pod, check=False)
        self.run("network", "rm", "--force", self._network, check=False)
        self.run("volume", "prune", "--force", check=False)

    def leftovers(self) -> list[str]:
        """Return what is left of these pods."""
        names = {self._documents(name)["metadata"]["name"] for name in self.pods}
        left = self.run("pod", "ls", "--format", "{{.Name}}").stdout.split()
        networks = self.run("network", "ls", "--format", "{{.Name}}").stdout.split()
        return [one for one in left if one in names] + [one for one in networks if one == self._network]


def until(what: str, true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def rounds_done(run: Path) -> int:
    """Return the rounds that a run folder has on record."""
    record = run / "metrics.jsonl"
    return record.read_bytes().count(b"\n") if record.exists() else 0
