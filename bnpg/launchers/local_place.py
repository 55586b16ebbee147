"""The machine of this process as a place."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from bnpg_protocol.process.threads import ONE_THREAD

from bnpg.launchers.adoption import Adopted, adopt
from bnpg.launchers.place import Handle, Order


class LocalProcess:
    """A child of this process, held by its standard input."""

    where = ""

    def __init__(self, process: "subprocess.Popen[bytes] | Adopted") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, or None as long as it runs."""
        return self._process.poll()

    def end(self) -> None:
        """Send it SIGTERM."""
        self._process.terminate()

    def abandon(self) -> None:
        """Cut its lifeline."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        """Send it SIGKILL."""
        self._process.kill()

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended, at most so long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class LocalPlace:
    """The machine of this process. Many at once are forked from one that has imported everything."""

    keeps_state = True

    def __init__(self) -> None:
        self._started: list[LocalProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            if process.poll() is None:
                process.abandon()
                process.kill()
                process.wait(60.0)

    def start(self, orders: Sequence[Order]) -> list[Handle]:
        """Start processes, and return them in their order."""
        together = adopt(orders, _environment()) if _alike(orders) else []
        started = [LocalProcess(order) for order in together]
        # If it failed in between, whoever was started nevertheless has lost its lifeline.
        started += [LocalProcess(_begin(order)) for order in orders[len(started) :]]
        self._started = [process for process in self._started if process.poll() is None] + started
        return list(started)

    def public_keys(self, names: Sequence[str]) -> Mapping[str, str]:  # noqa: ARG002
        """Return nothing: what stays on this machine needs no keys."""
        return {}

    def look(self) -> None:
        """Do nothing: this machine is here."""


def _alike(orders: Sequence[Order]) -> bool:
    """Whether it pays to fork the processes from one, which knows those of a run."""
    return len(orders) > 1 and {order.package for order in orders} <= {"bnpg_agents", "bnpg_coordinator"}


def _begin(order: Order) -> "subprocess.Popen[bytes]":
    # -P: the packages of this project, not folders of the same names where the user happens to be.
    command = [sys.executable, "-P", "-m", order.package, *order.arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, env=_environment())


def _environment() -> dict[str, str]:
    return os.environ | ONE_THREAD  # as many processes as cores already, and the same bits everywhere
