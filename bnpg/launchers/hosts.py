"""Several hosts as one place: a process on each, which starts the others there.

How that process comes to its host is the engine's business: a command whose standard input and output lead to
`python -m bnpg.launchers.host` there. One such process a host, not one a run's process, so that an engine is
asked for few things and only once.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Protocol, Self

import msgspec

from bnpg.launchers.host import GRACE, Report, Request
from bnpg.launchers.place import LOST, Handle, Order

KEYS_PATIENCE = 120.0
"""Seconds a host may take to come up and make keys."""
UNHEARD = 1.0
"""Seconds that the command of a host has to end if the host said nothing any more."""
LOOK_EVERY = 0.01
"""Seconds between two looks while waiting."""


class Channel(Protocol):
    """The way to one host and back; nothing here waits."""

    def send(self, request: Request) -> None:
        """Ask something of the host."""

    def receive(self) -> list[Report]:
        """Return what it said since the last call."""

    @property
    def lost(self) -> bool:
        """Whether the host will never say anything again."""

    def close(self) -> None:
        """Let the host end all its processes, and itself."""

    def wait(self, seconds: float) -> None:
        """Wait until it has ended; be done with it in any case."""


class PipeChannel:
    """A host behind the standard input and output of a command.

    Parameters
    ----------
    command : sequence of str
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._unsent, self._left = b"", b""
        self.lost = False

    def send(self, request: Request) -> None:
        """Ask something of the host, at the latest with the next `receive`."""
        self._unsent += msgspec.json.encode(request) + b"\n"
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._in, self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = b""  # the end of its output says the rest

    def receive(self) -> list[Report]:
        """Return what it said since the last call, and nothing of what others print there."""
        self._flush()
        with suppress(BlockingIOError):
            while content := os.read(self._out, 1 << 16):
                self._left += content
            self.lost = True
        *lines, self._left = self._left.split(b"\n")
        reports = []
        for line in lines:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                reports.append(msgspec.json.decode(line, type=Report))
        return reports

    def close(self) -> None:
        """Close its input."""
        self._flush()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._unsent = b""

    def wait(self, seconds: float) -> None:
        """Wait until the command has ended; then end it."""
        brief = min(seconds, UNHEARD)
        ends = (self._process.terminate, seconds), (self._process.kill, brief), (lambda: None, brief)
        for end, most in ends:
            try:
                self._process.wait(most)
                break
            except subprocess.TimeoutExpired:
                end()
        assert self._process.stdout is not None
        self._process.stdout.close()


class HostedProcess:
    """A process on one of the hosts."""

    def __init__(self, place: "HostsPlace", name: str, number: int, where: str) -> None:
        self.where = where
        self.name = name
        self.number = number
        self.code: int | None = None
        self._place = place

    def poll(self) -> int | None:
        """Return its exit code as far as its host has told; `LOST` if the host is gone."""
        return self.code

    def end(self) -> None:
        """Let its host send it SIGTERM."""
        self._place.ask(self.where, Request(end=self.number))

    def abandon(self) -> None:
        """Let its host cut its lifeline."""
        self._place.ask(self.where, Request(abandon=self.number))

    def kill(self) -> None:
        """Let its host kill it."""
        self._place.ask(self.where, Request(kill=self.number))

    def wait(self, seconds: float) -> int | None:
        """Wait until its host says that it has ended, at most so long."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            self._place.look()
        return self.poll()


class HostsPlace:
    """Hosts that are reached by channels.

    Whoever ends with an exit code is started where it was. Who was lost, or is to be started although nobody
    knows that it ended, goes to another host, if there is one.

    Parameters
    ----------
    hosts : sequence of str
        Their names.
    coordinator : str
        The coordinator's public key, for the key files that are made on the hosts.
    """

    keeps_state = True

    def __init__(self, hosts: Sequence[str], coordinator: str) -> None:
        self._hosts = list(hosts)
        self._coordinator = coordinator
        self._channels: dict[str, Channel] = {}
        self._processes: dict[int, HostedProcess] = {}
        self._homes: dict[str, str] = {}
        """Hosts chosen for processes that are not started yet."""
        self._latest: dict[str, HostedProcess] = {}
        self._suspects: set[str] = set()
        self._keys: dict[tuple[str, str], str] = {}
        self._numbers = count(1)

    def reach(self, host: str) -> Channel:
        """Open the way to a host."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels.values():
            channel.close()
        deadline = time.monotonic() + GRACE + 4.0
        for host, channel in self._channels.items():
            left = 0.0 if host in self._suspects else deadline - time.monotonic()
            channel.wait(max(UNHEARD, left))

    def start(self, orders: Sequence[Order]) -> list[Handle]:
        """Start processes where their keys are; see `public_keys`."""
        started: list[HostedProcess] = []
        together: dict[str, list[tuple[int, Order]]] = {}
        for order in orders:
            host = self._homes.pop(order.name, "") or self._choose(order.name)
            process = HostedProcess(self, order.name, next(self._numbers), host)
            self._processes[process.number] = self._latest[order.name] = process
            together.setdefault(host, []).append((process.number, order))
            started.append(process)
        for host, group in together.items():
            self.ask(host, Request(start=tuple(group)))
        return list(started)

    def public_keys(self, names: Sequence[str]) -> Mapping[str, str]:
        """Choose hosts for processes, and return the public keys that were made for them there."""
        wanted: dict[str, list[str]] = {}
        for name in names:
            host = self._homes[name] = self._choose(name)
            if (host, name) not in self._keys:
                wanted.setdefault(host, []).append(name)
        for host, group in wanted.items():
            self.ask(host, Request(keys=tuple(group), coordinator=self._coordinator))
        deadline = time.monotonic() + KEYS_PATIENCE
        while any((self._homes[name], name) not in self._keys for name in names):
            self.look()
            lost = {host for host in wanted if self._channels[host].lost}
            if lost or time.monotonic() > deadline:
                self._suspects |= set(wanted)
                break
            time.sleep(LOOK_EVERY)
        return {name: self._keys.get((self._homes[name], name), "") for name in names}

    def look(self) -> None:
        """Take in what the hosts say."""
        for host, channel in self._channels.items():
            for report in channel.receive():
                self._keys |= {(host, name): key for name, key in report.keys.items()}
                for number, code in report.ended.items():
                    self._processes.pop(number).code = code
            if channel.lost:
                for process in [process for process in self._processes.values() if process.where == host]:
                    process.code = LOST
                    del self._processes[process.number]

    def ask(self, host: str, request: Request) -> None:
        """Ask something of a host, if it is still there."""
        if host in self._channels and not self._channels[host].lost:
            self._channels[host].send(request)

    def _choose(self, name: str) -> str:
        """Return the host on which a process is started next, with a way to it."""
        before = self._latest.get(name)
        if before is not None and before.code not in (None, LOST) and before.where not in self._gone:
            return before.where
        if before is not None:
            self._suspects.add(before.where)
        crowd = [process.where for process in self._latest.values() if process.name != name]
        crowd += [home for other, home in self._homes.items() if other not in self._latest]
        host = min(
            self._hosts,
            key=lambda host: (host in self._gone, host in self._suspects, crowd.count(host)),
        )
        if host not in self._channels or host in self._gone:
            if host in self._channels:
                self._channels[host].close()
                self._channels[host].wait(0.1)
                self._keys = {place: key for place, key in self._keys.items() if place[0] != host}
            self._channels[host] = self.reach(host)
        return host

    @property
    def _gone(self) -> set[str]:
        return {host for host, channel in self._channels.items() if channel.lost}


class CommandPlace(HostsPlace):
    """Hosts that are reached by a command each.

    Parameters
    ----------
    commands : mapping from host to command
        What leads to `python -m bnpg.launchers.host` there.
    coordinator : str
    """

    def __init__(self, commands: Mapping[str, Sequence[str]], coordinator: str) -> None:
        super().__init__(list(commands), coordinator)
        self._commands = commands

    def reach(self, host: str) -> Channel:
        """Start the command of a host."""
        return PipeChannel(self._commands[host])
