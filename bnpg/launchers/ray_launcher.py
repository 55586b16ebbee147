"""The Ray launcher: the coordinator on this host, the agents on all hosts of a Ray cluster.

One actor a host, which starts the agents there as processes of their own; an actor an agent would cost what a
whole interpreter with Ray costs, each. Ray carries orders and exit codes and nothing else: no message of the
run, no key, no theta.
"""

import os
import socket
from importlib import import_module
from typing import Any

import msgspec
from bnpg_protocol.process.fence import Fence

from bnpg.launchers.host import Host, Report, Request
from bnpg.launchers.hosts import Channel, HostsPlace
from bnpg.launchers.launch import OnLine
from bnpg.launchers.network import launch_on
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.run_folder import RunFolder
from bnpg_math.errors import InputError

KNOCK_PATIENCE = 5.0
"""Seconds that the head of a cluster has to answer."""


def connected(address: str) -> Any:
    """Return Ray, connected to a cluster.

    Parameters
    ----------
    address : str
        HOST:PORT of its head, or `auto`: the one that this host belongs to.

    Raises
    ------
    InputError
        If there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    ray = import_module("ray")
    if not ray.is_initialized():
        _knock(address)
        try:
            ray.init(address=address, namespace="bnpg", configure_logging=False, log_to_driver=True)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            why = " ".join(str(error).split())[:200]
            raise InputError(f"--address {address}: no Ray cluster there: {why}") from None
    return ray


def _knock(address: str) -> None:
    """Refuse an address where nobody listens, of which Ray itself takes minutes and many lines to say so.

    Raises
    ------
    InputError
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"--address {address}: no Ray cluster there: {error}") from None


def check(settings: LaunchSettings) -> None:
    """Refuse to go on where there is no cluster.

    Raises
    ------
    InputError
        If there is none.
    """
    connected(settings.address)


def hosts_of(ray: Any) -> dict[str, str]:
    """Return the ids of the hosts that are alive, by a name that says where each is."""
    alive = sorted(
        (node for node in ray.nodes() if node["Alive"]), key=lambda node: node["NodeManagerAddress"]
    )
    found: dict[str, str] = {}
    for node in alive:
        address = str(node["NodeManagerAddress"])
        found[address if address not in found else f"{address}/{node['NodeID'][:8]}"] = str(node["NodeID"])
    return found


def on_host(ray: Any, kind: type, node: str) -> Any:
    """Return an actor on a host; it costs no core, as its processes are not Ray's."""
    strategies = import_module("ray.util.scheduling_strategies")
    strategy = strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    actor = ray.remote(num_cpus=0, max_restarts=0)(kind)
    return actor.options(scheduling_strategy=strategy).remote()


class HostActor:
    """A host of a run, as an actor: what goes to and fro is bytes of requests and reports."""

    def __init__(self) -> None:
        self._host = Host()

    def take(self, request: bytes) -> bytes:
        """Do what is asked."""
        return msgspec.json.encode(self._host.take(msgspec.json.decode(request, type=Request)))

    def look(self) -> bytes:
        """Return who has ended."""
        return msgspec.json.encode(self._host.look())

    def close(self) -> None:
        """End all processes here."""
        self._host.__exit__(None, None, None)


class ActorChannel:
    """A host behind an actor.

    Parameters
    ----------
    ray : module
    node : str
        The id of the host.
    """

    def __init__(self, ray: Any, node: str) -> None:
        self._ray = ray
        self._actor = on_host(ray, HostActor, node)
        self._answers: list[Any] = []
        self._looking: Any = None
        self.lost = False

    def send(self, request: Request) -> None:
        """Ask something of the host."""
        self._answers.append(self._actor.take.remote(msgspec.json.encode(request)))

    def receive(self) -> list[Report]:
        """Return what it said since the last call."""
        if self._looking is None and not self.lost:
            self._looking = self._actor.look.remote()
        waiting = [*self._answers, self._looking] if self._looking is not None else list(self._answers)
        if not waiting or self.lost:
            return []
        ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        reports = []
        for reference in ready:
            if reference is self._looking:
                self._looking = None
            else:
                self._answers.remove(reference)
            try:
                reports.append(msgspec.json.decode(self._ray.get(reference), type=Report))
            except self._ray.exceptions.RayError:
                self.lost = True
        return reports

    def close(self) -> None:
        """Let the actor end all processes there."""
        self._answers = [self._actor.close.remote()]

    def wait(self, seconds: float) -> None:
        """Wait until it has done so; then end it."""
        if not self.lost:
            self._ray.wait(self._answers, timeout=seconds)
        self._ray.kill(self._actor)


class RayPlace(HostsPlace):
    """The hosts of a Ray cluster.

    Parameters
    ----------
    ray : module
    coordinator : str
        The coordinator's public key.
    """

    def __init__(self, ray: Any, coordinator: str) -> None:
        self._ray = ray
        self._nodes = hosts_of(ray)
        super().__init__(list(self._nodes), coordinator)

    def reach(self, host: str) -> Channel:
        """Start an actor on a host."""
        return ActorChannel(self._ray, self._nodes[host])


def launch(run: RunFolder, settings: LaunchSettings, fence: Fence, on_line: OnLine) -> Outcome:
    """Run the agents in actors of a cluster: a :class:`~bnpg.launchers.launch.Launch`."""
    ray = connected(settings.address)
    return launch_on(lambda public: RayPlace(ray, public), run, settings, fence, on_line)
