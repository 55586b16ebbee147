"""A real Ray on three addresses, in network namespaces: the result is that of the memory launcher."""

import importlib.util
import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from bnpg.__main__ import main
from bnpg.lab.testing.scratch import Scratch
from tests.engines.sweeps import sweep_outputs
from tests.hosts.conftest import Hosts

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]
NAMES = ("h1", "h2", "h3")
PORT = 6379
EXPERIMENT = ["coordination(agents=4)", "--dag", "line", "--lanes", "4", "--horizon", "3", "--no-fsync"]


ALIVE = """
import sys
import ray
ray.init(address=sys.argv[1], configure_logging=False, log_to_driver=False)
sys.exit(sum(node["Alive"] for node in ray.nodes()) != int(sys.argv[2]))
"""


class RayHosts(Hosts):
    """Hosts with a Ray on all of them."""

    def __init__(self, scratch: Scratch) -> None:
        super().__init__(scratch)
        self.folder = tempfile.mkdtemp(prefix="bnpg-ray-")
        """Of Ray's own sockets and logs, which it leaves behind."""
        token = Path(self.folder) / "token"
        token.write_text(secrets.token_hex(32))
        # Said to every process: left to itself, a head takes up a token of its user's that the others do not.
        self.environment = self._environment = {
            **self._environment,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
        }
        for name in NAMES:
            self.add(name)

    def begin(self, host: str, name: str, *command: str) -> None:
        """Start something on a host in the background."""
        with (self.path / host / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self._tag}-{host}", *command],
                cwd=self.path / host, env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip

    def log(self, name: str) -> str:
        return "".join(one.read_text() for one in self.path.glob(f"*/{name}.log"))

    def ray(self, host: str, *options: str) -> None:
        """Start Ray on a host."""
        address = f"--node-ip-address={self.address[host]}"
        small = ["--num-cpus=2", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]
        self.begin(
            host,
            f"ray-{host}",
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            address,
            *small,
            *options,
        )

    def are_known(self) -> bool:
        """Whether Ray says of all hosts that they are there: on one it may have started and not be known."""
        asked = subprocess.run(
            [
                *("nsenter", f"--net=/run/netns/{self._tag}-h1", sys.executable, "-c", ALIVE),
                *(f"{self.address['h1']}:{PORT}", str(len(NAMES))),
            ],
            env=self._environment, capture_output=True, check=False,
        )  # fmt: skip
        return asked.returncode == 0

    def train(self, rounds: int, *options: str) -> Path:
        """Start a run on all hosts, launched on the first one; return its folder."""
        out = self.path / "run"
        words = ["train", *EXPERIMENT, "--rounds", str(rounds), "--launcher", "ray", "--json", *options]
        where = ["--address", f"{self.address['h1']}:{PORT}", "--advertise", self.address["h1"]]
        self.begin("h1", "train", sys.executable, "-P", "-m", "bnpg", *words, *where, "--out", str(out))
        return out


@pytest.fixture
def cluster(scratch: Scratch) -> Iterator[RayHosts]:
    lacking = [] if importlib.util.find_spec("ray") is not None else ["ray (pip install 'bnpg[ray]')"]
    lacking += [] if os.geteuid() == 0 else ["root"]
    if not os.environ.get("BNPG_ENGINES"):
        pytest.skip("takes minutes: make engines")
    if lacking:
        pytest.fail(f"needs {', '.join(lacking)}", pytrace=False)
    made = RayHosts(scratch)
    try:
        made.ray("h1", "--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={made.folder}")
        made.until("the head is up", lambda: "Ray runtime started" in made.log("ray-h1"), 90)
        for name in NAMES[1:]:  # one after the other: they share a folder of sockets, as hosts do not
            made.ray(name, f"--address={made.address['h1']}:{PORT}")
            made.until("it joined", lambda name=name: "Ray runtime started" in made.log(f"ray-{name}"), 90)
        made.until("Ray knows all hosts", made.are_known, 90)
        yield made
    finally:
        made.close()
        shutil.rmtree(made.folder)


def test_where_there_is_no_cluster_is_one_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray (pip install 'bnpg[ray]')")
    words = ["train", "climbing", "--launcher", "ray", "--address", "127.0.0.1:1"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    told = capfd.readouterr().err
    assert (
        told == "bnpg: error: --address 127.0.0.1:1: no Ray cluster there: [Errno 111] Connection refused\n"
    )
    assert not (tmp_path / "run").exists()


def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


def rounds_done(out: Path) -> int:
    record = out / "metrics.jsonl"
    return len(record.read_bytes().splitlines()) if record.exists() else 0


def titled(cluster: RayHosts, title: str) -> dict[psutil.Process, str]:
    """Return the processes on the hosts of this very cluster whose titles begin so, each with its host."""
    hosts = {os.stat(f"/run/netns/{cluster._tag}-{name}").st_ino: name for name in NAMES}
    found = {}
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            network = os.stat(f"/proc/{one.pid}/ns/net").st_ino
            if network in hosts and " ".join(one.cmdline()).startswith(title):
                found[one] = hosts[network]
    return found


def agents(cluster: RayHosts) -> dict[psutil.Process, str]:
    """Return the agents of this very cluster, each with its host."""
    return titled(cluster, "bnpg-agent-")


def on_all_hosts(cluster: RayHosts) -> None:
    """Wait until agents are on all hosts: one may be between two lives."""
    cluster.until("agents are on all hosts", lambda: set(agents(cluster).values()) == set(NAMES), 60)


def goes_on(cluster: RayHosts, out: Path, after: str) -> None:
    """Wait until 20 more rounds are on record."""
    reached = rounds_done(out) + 20
    cluster.until(f"it goes on after {after}", lambda: rounds_done(out) > reached, 90)


def cpu_seconds(cluster: RayHosts) -> float:
    """Return the CPU time of all that works on the hosts of this cluster, and of what ended there."""
    total = 0.0
    for one in titled(cluster, ""):
        with suppress(psutil.Error):
            total += sum(one.cpu_times()[:4])
    return total


def digest_in_memory(rounds: int, folder: Path) -> str:
    memory = ["--rounds", str(rounds), "--launcher", "memory", "--quiet", "--out", str(folder)]
    assert main(["train", *EXPERIMENT, *memory]) == 0
    return str(summary(folder)["policy_digest"])


def ended(cluster: RayHosts, seconds: float = 150.0) -> int | None:
    cluster.until("the run is over", lambda: cluster.processes["train"].poll() is not None, seconds)
    return cluster.processes["train"].returncode


def test_the_result_survives_kills_and_a_pulled_cable(
    cluster: RayHosts, scratch: Scratch, tmp_path: Path
) -> None:
    out = cluster.train(500, "--replace-after", "5")
    cluster.until("rounds are done", lambda: rounds_done(out) > 20, 120)
    on_all_hosts(cluster)
    next(iter(agents(cluster))).kill()
    goes_on(cluster, out, "a kill")
    cluster.cable("h3", plugged=False)
    began = time.monotonic()
    goes_on(cluster, out, "the loss of a host")
    print(f"it went on {time.monotonic() - began:.1f} s after the cable was pulled")
    assert ended(cluster) == 0, cluster.log("train")
    assert summary(out)["policy_digest"] == digest_in_memory(500, tmp_path / "memory")
    assert len(list(scratch.path.glob("bnpg-host-*"))) <= 1, "only the host that was cut off is killed"
    scratch.excuse_files()
    said = "".join(one.read_text(errors="replace") for one in cluster.path.glob("*/*.log"))
    assert "replaced process=agent-" in said
    assert "secret" not in said


def test_the_result_survives_the_death_of_an_actor_of_the_coordinator_and_of_a_node(
    cluster: RayHosts, scratch: Scratch, tmp_path: Path
) -> None:
    out = cluster.train(700, "--replace-after", "20")
    cluster.until("rounds are done", lambda: rounds_done(out) > 20, 120)

    on_all_hosts(cluster)
    (actor,) = (one for one, host in titled(cluster, "ray::HostActor").items() if host == "h2")
    there = [one for one, host in agents(cluster).items() if host == "h2"]
    assert there
    actor.kill()
    cluster.until("its agents end with it", lambda: not any(one.is_running() for one in there), 30)
    goes_on(cluster, out, "the death of an actor")

    (coordinator,) = titled(cluster, "bnpg-coordinator")
    coordinator.kill()
    goes_on(cluster, out, "the death of the coordinator")
    assert (out / "generation").read_text().strip() == "2"

    cluster.until("agents are on h3", lambda: "h3" in agents(cluster).values(), 60)
    for one, host in titled(cluster, "").items():
        if host == "h3":
            one.kill()
    goes_on(cluster, out, "the death of a node")
    assert "h3" not in agents(cluster).values()
    assert ended(cluster) == 0, cluster.log("train")
    assert summary(out)["policy_digest"] == digest_in_memory(700, tmp_path / "memory")
    said = cluster.log("train")
    assert said.count("restarted process=") >= 3
    scratch.excuse_files()  # of hosts that were killed


def test_a_sweep_by_actors_has_the_table_of_a_local_one(cluster: RayHosts, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    local = sweep_outputs(tmp_path / "local")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    there = ["--engine", "ray", "--address", f"{cluster.address['h1']}:{PORT}"]
    inside = ["nsenter", f"--net=/run/netns/{cluster._tag}-h1"]
    environment = cluster.environment
    began = cpu_seconds(cluster)
    assert sweep_outputs(tmp_path / "ray", *there, before=inside, environment=environment) == local
    command = resource.getrusage(resource.RUSAGE_CHILDREN)
    there = (
        cpu_seconds(cluster) - began + command.ru_utime + command.ru_stime - after.ru_utime - after.ru_stime
    )
    print(f"CPU time of the sweep: {used:.1f} s on this machine, {there:.1f} s on the cluster")
