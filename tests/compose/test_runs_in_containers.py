"""`docker compose up` runs the decentralised training as deployed, always to the same end."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from bnpg.lab.testing.containers import Deployment, docker
from tests.compose.extra import extra_wheel

GAME = "coordination(agents=5)"
SHORT = "--rounds 20 --lanes 16 --horizon 6 --evaluate-every 10"
LONG = "--rounds 240 --lanes 16 --horizon 6 --evaluate-every 80"
"""Long enough to be hit in the middle."""
LONGER = "--rounds 700 --lanes 16 --horizon 6 --evaluate-every 350"
"""Long enough to be looked at from all sides."""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="changes packets in a container's network namespace"
)


def secrets_of(deployment: Deployment, agents: int) -> list[str]:
    """Every private key of a deployment, read out of the containers that own them."""
    files = {deployment.container("agent", one + 1): "/state/agent.key" for one in range(agents)}
    files[deployment.container("coordinator")] = "/keys/coordinator/coordinator.key"
    found = []
    for container, file in files.items():
        content = docker("cp", f"{container}:{file}", "-").stdout
        found += [line.split('"')[1] for line in content.splitlines() if line.startswith("secret")]
    return found


def test_a_clean_run_ends_with_exit_0_and_the_digest_of_memory(
    deployment: Deployment, digest_in_memory
) -> None:
    # The very first time: there is no image yet, and nothing to pull it from.
    deployment.environment["BNPG_IMAGE"] = f"bnpg:{deployment.name}"
    deployment.plan(GAME, SHORT)
    done = deployment.up("--build")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    summary = deployment.summary()
    assert (summary["state"], summary["rounds"], summary["processes"]) == ("done", 20, 6)
    assert summary["policy_digest"] == digest_in_memory(GAME, SHORT)
    ends = [deployment.inspect(deployment.container("agent", one), ".State.ExitCode") for one in range(1, 6)]
    assert ends == ["0"] * 5

    # Private keys are with their owners and nowhere else.
    keys = secrets_of(deployment, 5)
    assert len(set(keys)) == 6
    told = done.stdout + done.stderr + deployment.compose("logs", "--no-color").stdout
    for container in docker(
        "ps", "-aq", "--filter", f"label=com.docker.compose.project={deployment.name}"
    ).stdout.split():
        told += docker("inspect", container).stdout
    written = b"".join(file.read_bytes() for file in deployment.runs.rglob("*") if file.is_file())
    assert not [key for key in keys if key in told or key.encode() in written]

    # The same command again is the next run, with the same result, in a folder of its own.
    again = deployment.up()
    assert again.returncode == 0, again.stdout[-3000:]
    assert (deployment.runs / "compose-2" / "summary.json").exists()
    assert deployment.summary() == summary


def test_a_simulator_is_played_by_the_coordinator_and_ends_in_the_digest_of_memory(
    deployment: Deployment, digest_in_memory
) -> None:
    options = "--dag star --steps 4 --rounds 20 --lanes 16 --learning-rate 20"
    deployment.environment["BNPG_AGENTS"] = "4"
    deployment.plan("relay", options)
    done = deployment.up()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    summary = deployment.summary()
    assert (summary["state"], summary["rounds"], summary["processes"]) == ("done", 20, 5)
    assert summary["policy_digest"] == digest_in_memory("relay", options)


def test_containers_have_no_more_rights_than_they_need(deployment: Deployment) -> None:
    deployment.plan(GAME, LONGER)
    deployment.start()
    deployment.reach(1)
    for service in ("coordinator", "agent"):
        container = deployment.container(service)
        assert deployment.inspect(container, ".Config.User") == "10001:10001"
        assert deployment.inspect(container, ".HostConfig.ReadonlyRootfs") == "true"
        assert deployment.inspect(container, ".HostConfig.CapDrop") == "[ALL]"
        assert int(deployment.inspect(container, ".HostConfig.Memory")) > 0
        assert int(deployment.inspect(container, ".HostConfig.NanoCpus")) > 0
        assert int(deployment.inspect(container, ".HostConfig.PidsLimit")) > 0
    mounts = "range .Mounts}}{{.Destination}} {{end"
    assert "/keys/coordinator" not in deployment.inspect(deployment.container("agent"), mounts)
    deployment.until(deployment.container("coordinator"), ".State.Health.Status", "healthy")
    deployment.until(deployment.container("agent"), ".State.Health.Status", "healthy")
    metrics = docker(
        "exec", deployment.container("coordinator"), "/opt/bnpg/bin/python3", "-c",
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9000/metrics').read().decode())",
    ).stdout  # fmt: skip
    assert "bnpg_bytes_sent_total" in metrics
    assert "bnpg_step_seconds_bucket" in metrics


def test_eight_replicas_are_given_eight_ids(deployment: Deployment, digest_in_memory) -> None:
    game = "coordination(agents=8)"
    deployment.plan(game, SHORT)
    done = deployment.up("--scale", "agent=8")
    assert done.returncode == 0, done.stdout[-3000:]
    assert deployment.summary()["policy_digest"] == digest_in_memory(game, SHORT)
    assert deployment.summary()["processes"] == 9


def test_a_replica_too_many_waits_and_disturbs_nobody(deployment: Deployment, digest_in_memory) -> None:
    game = "coordination(agents=2)"
    deployment.plan(game, SHORT)
    done = deployment.up("--scale", "agent=3")
    assert done.returncode == 0, done.stdout[-3000:]
    assert deployment.summary()["policy_digest"] == digest_in_memory(game, SHORT)


def test_agents_that_die_come_back(deployment: Deployment, digest_in_memory) -> None:
    deployment.plan(GAME, LONG)
    deployment.start()
    crashed, killed = deployment.container("agent", 2), deployment.container("agent", 3)
    deployment.reach(20)
    if os.geteuid() == 0:
        # The process dies by itself: the restart policy brings it back.
        os.kill(deployment.pid(crashed), 9)
        deployment.until(crashed, ".RestartCount", "1")
    deployment.reach(40)
    docker("kill", killed)
    docker("start", killed)
    assert deployment.wait() == 0
    assert deployment.summary()["policy_digest"] == digest_in_memory(GAME, LONG)


def test_a_coordinator_that_dies_goes_on(deployment: Deployment, digest_in_memory) -> None:
    deployment.plan(GAME, LONG)
    deployment.start()
    deployment.reach(15)
    coordinator = deployment.container("coordinator")
    if os.geteuid() == 0:
        # Only the process dies: it is started again in its container.
        os.kill(deployment.process(coordinator, "bnpg-coordinator"), 9)
        deployment.reach(40)
    docker("kill", coordinator)
    assert deployment.rounds() < 120
    docker("start", coordinator)
    assert deployment.wait() == 0
    assert deployment.summary()["policy_digest"] == digest_in_memory(GAME, LONG)
    assert int((deployment.run / "generation").read_text()) == 2 + (os.geteuid() == 0)


def test_a_pause_and_a_pulled_cable_change_nothing(deployment: Deployment, digest_in_memory) -> None:
    deployment.plan(GAME, LONG)
    deployment.start()
    deployment.reach(20)
    frozen, unplugged = deployment.container("agent", 1), deployment.container("agent", 4)
    docker("pause", frozen)
    time.sleep(2)  # the length of the pause, not a synchronisation
    docker("unpause", frozen)
    deployment.reach(40)
    network = f"{deployment.name}_private"
    docker("network", "disconnect", network, unplugged)
    time.sleep(1)
    docker("network", "connect", "--alias", "agent", network, unplugged)
    assert deployment.wait() == 0
    assert deployment.summary()["policy_digest"] == digest_in_memory(GAME, LONG)


@needs_root
def test_partition_loss_and_a_slow_link_change_nothing(deployment: Deployment, digest_in_memory) -> None:
    deployment.plan(GAME, LONG)
    deployment.start()
    deployment.reach(10)
    cut, lossy, slow = (deployment.container("agent", one) for one in (1, 3, 5))
    deployment.inside(slow, "tc", "qdisc", "add", "dev", deployment.interface(slow), "root", "tbf",
                      "rate", "1mbit", "burst", "16kb", "latency", "400ms")  # fmt: skip
    loss = [
        "INPUT",
        "-i",
        deployment.interface(lossy),
        "-m",
        "statistic",
        "--mode",
        "random",
        "--probability",
        "0.3",
    ]
    deployment.inside(lossy, "iptables", "-A", *loss, "-j", "DROP")
    deployment.reach(30, deadline=90)
    deployment.inside(lossy, "iptables", "-D", *loss, "-j", "DROP")
    partition = ["INPUT", "-i", deployment.interface(cut)]
    deployment.inside(cut, "iptables", "-A", *partition, "-j", "DROP")
    time.sleep(3)  # the length of the partition
    assert deployment.rounds() < 120
    deployment.inside(cut, "iptables", "-D", *partition, "-j", "DROP")
    assert deployment.wait() == 0
    assert deployment.summary()["policy_digest"] == digest_in_memory(GAME, LONG)


def test_the_overlay_with_a_bad_network_changes_nothing(deployment: Deployment, digest_in_memory) -> None:
    deployment.files.append("docker-compose.faults.yml")
    deployment.plan(GAME, SHORT)
    done = deployment.up()
    assert done.returncode == 0, done.stdout[-3000:]
    assert deployment.summary()["policy_digest"] == digest_in_memory(GAME, SHORT)


def test_the_overlay_to_observe_shows_the_run_to_whoever_knows_the_token(deployment: Deployment) -> None:
    deployment.files.append("docker-compose.observe.yml")
    # Port 0: any that is free. Prometheus is an image of others, which this engine cannot pull.
    deployment.environment["BNPG_WATCH_PORT"] = "0"
    deployment.plan(GAME, LONGER)
    deployment.start("coordinator", "agent", "watch")
    deployment.reach(1)
    watch = deployment.container("watch")
    deployment.until(watch, ".State.Health.Status", "healthy")
    token = docker("exec", watch, "cat", "/state/token").stdout.strip()
    assert len(token) >= 16
    ask = (
        "import sys, urllib.request as u, urllib.error as e\n"
        "r = u.Request('http://127.0.0.1:8765/', headers={'Authorization': 'Bearer ' + sys.argv[1]})\n"
        "try: print(u.urlopen(r).read().decode())\n"
        "except e.HTTPError as error: print(error.code)\n"
    )
    page, shut = (
        docker("exec", watch, "/opt/bnpg/bin/python3", "-c", ask, word).stdout for word in (token, "guess")
    )
    assert "agent 4" in page
    assert shut.strip() == "401"
    told = deployment.compose("logs", "--no-color").stdout + docker("inspect", watch).stdout
    assert token not in told
    assert deployment.inspect(watch, ".HostConfig.PortBindings").count("127.0.0.1") == 1
    assert deployment.inspect(watch, ".Config.User") == "10001:10001"
    assert deployment.wait() == 0


def test_a_mistake_ends_with_exit_2_and_one_line(deployment: Deployment) -> None:
    deployment.plan("cooordination(agents=5)", SHORT)
    done = deployment.up()
    told = done.stdout + done.stderr
    assert done.returncode == 2, told[-2000:]
    assert told.count("bnpg: error: unknown game 'cooordination'") == 1
    assert "Traceback" not in told


def test_a_package_of_bnpg_extras_is_in_the_image_and_changes_no_other(project: Path) -> None:
    wheel = "/wheelhouse/" + extra_wheel(project)
    environment = os.environ | {"BNPG_EXTRAS": wheel, "BNPG_IMAGE": "bnpg:extras"}
    built = subprocess.run(
        ["docker", "compose", "build", "keys"], cwd=project, env=environment, capture_output=True, text=True,
        timeout=220, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    try:
        train = "train signpost:make --rounds 2 --lanes 8 --launcher memory --out /tmp/run --json"
        done = docker("run", "--rm", "--network", "none", "bnpg:extras", *train.split())
        assert json.loads(done.stdout)["rounds"] == 2
        listing = (
            "import importlib.metadata as m; print(*sorted(d.name + d.version for d in m.distributions()))"
        )
        plain, extra = (
            set(docker("run", "--rm", "--entrypoint", "python3", image, "-c", listing).stdout.split())
            for image in ("bnpg:local", "bnpg:extras")
        )
        assert extra - plain == {"signpost1.0"}
        assert plain <= extra
    finally:
        docker("image", "rm", "--force", "bnpg:extras", check=False)


def test_overlays_are_valid(project: Path) -> None:
    for overlay in ("docker-compose.faults.yml", "docker-compose.observe.yml"):
        it = Deployment(project, "bnpg-config", project / "runs")
        it.files.append(overlay)
        done = it.compose("config", "--quiet")
        assert done.returncode == 0, done.stderr
