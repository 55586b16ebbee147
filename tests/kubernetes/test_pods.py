"""The pods of the manifests, run for real by podman, come to the result of the memory launcher."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnpg.lab.testing.podman import Pods, rounds_done, until
from tests.kubernetes.conftest import MANIFESTS

Make = Callable[[str], Pods]

COORDINATOR = "bnpg-coordinator-0.bnpg"


def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "claims" / "bnpg-coordinator" / "runs" / "run"


def digest_in_memory(overlay: str, tmp_path: Path) -> str:
    """The policy digest of the experiment of an overlay, run in one process."""
    words = ["train", str(MANIFESTS / overlay / "experiment.toml"), "--launcher", "memory"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bnpg", *words, "--out", str(tmp_path / "memory"), "--json", "--quiet"],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return str(json.loads(done.stdout)["policy_digest"])


def summary(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads((run_folder(tmp_path) / "summary.json").read_text()))


def secrets_in(claims: Path) -> dict[str, str]:
    """Every private key on the claims, by the folder of its owner."""
    return {
        str(file.parent.relative_to(claims)): line.split('"')[1]
        for file in claims.rglob("*.key")
        for line in file.read_text().splitlines()
        if line.startswith("secret")
    }


def start(pods: Pods) -> list[str]:
    """Start the coordinator and then the agents, whose names are returned."""
    coordinator, *agents = sorted(pods.pods, key=lambda name: "coordinator" not in name)
    pods.play(coordinator)
    for agent in agents:
        pods.play(agent)
    return agents


def test_the_pods_come_to_the_digest_of_memory_and_keys_stay_with_their_owners(
    pods: Make, tmp_path: Path
) -> None:
    jobs = pods("jobs")
    agents = start(jobs)
    until("it is under way", lambda: rounds_done(run_folder(tmp_path)) > 0)
    # What the kubelet asks for whether a pod is ready.
    for name in (COORDINATOR, agents[0]):
        probe = jobs.pods[name][-1]["spec"]["containers"][0]["readinessProbe"]["exec"]["command"]
        assert json.loads(jobs.run("exec", jobs.container(name), *probe).stdout)["healthy"]
    known = {name: jobs.inspect(name) for name in jobs.pods}
    assert jobs.wait(COORDINATOR) == 0, jobs.logs(COORDINATOR)
    assert [jobs.wait(name) for name in agents] == [0] * 5
    assert summary(tmp_path)["state"] == "done"
    assert summary(tmp_path)["policy_digest"] == digest_in_memory("jobs", tmp_path)

    owners = ["bnpg-coordinator/keys", *(f"bnpg-shared/state/{index}" for index in range(5))]
    keys = secrets_in(tmp_path / "claims")
    assert sorted(keys) == owners
    assert len(set(keys.values())) == 6
    for name, one in known.items():
        mounted = {Path(mount["Source"]).name for mount in one["Mounts"] if mount["Type"] == "bind"}
        own = {"keys", "runs", "enrolled"} if name == COORDINATOR else {"public", "enrolled"}
        own |= set() if name == COORDINATOR else {name.split(".")[0].rpartition("-")[2]}
        assert mounted == own, f"{name} mounts {mounted}"
        assert one["Config"]["User"] == "10001:10001"
        assert one["HostConfig"]["ReadonlyRootfs"]
        assert not one["EffectiveCaps"]
        assert one["HostConfig"]["Memory"] > 0
    everything = [jobs.logs(name) for name in jobs.pods] + [
        json.dumps([*known.values(), *jobs.pods.values()])
    ]
    everything += [
        file.read_text(errors="replace")
        for file in (tmp_path / "claims").rglob("*")
        if file.is_file() and file.suffix != ".key"
    ]
    assert not [key for key in keys.values() if any(key in text for text in everything)]


def test_pods_that_are_lost_are_replaced_and_nothing_changes(pods: Make, tmp_path: Path) -> None:
    example = pods("example")
    start(example)
    folder = run_folder(tmp_path)
    first, second = "bnpg-agents-1.bnpg", "bnpg-agents-2.bnpg"

    def goes_on() -> None:
        reached = rounds_done(folder) + 10
        until(f"it comes to round {reached}", lambda: rounds_done(folder) > reached)

    goes_on()
    before = example.inspect(first)["Id"]
    example.delete(first)
    example.play(first)  # as the Job controller does, which keeps the index
    assert example.inspect(first)["Id"] != before
    goes_on()
    example.delete(second)  # without whom no round ends, so the coordinator is in the midst of one
    example.delete(COORDINATOR)
    assert not (folder / "summary.json").exists()
    example.play(COORDINATOR)
    example.play(second)
    assert example.wait(COORDINATOR) == 0, example.logs(COORDINATOR)
    digest = summary(tmp_path)["policy_digest"]
    assert digest == digest_in_memory("example", tmp_path)
    assert (folder / "generation").read_text().strip() == "2", "the coordinator is the second"

    reader = pods("reader")
    reader.play("bnpg-reader")
    shown = json.loads(
        reader.run("exec", reader.container("bnpg-reader"), "cat", "/runs/run/summary.json").stdout
    )
    assert shown["policy_digest"] == digest
    assert "secret" not in reader.run("exec", reader.container("bnpg-reader"), "find", "/runs").stdout


def test_the_pods_of_the_jobset_find_each_other_by_the_names_it_gives_them(
    pods: Make, tmp_path: Path
) -> None:
    jobset = pods("jobset")
    agents = start(jobset)
    assert agents == [f"bnpg-agents-0-{index}.bnpg" for index in range(5)]
    assert jobset.wait("bnpg-coordinator-0-0.bnpg") == 0
    assert summary(tmp_path)["policy_digest"] == digest_in_memory("jobs", tmp_path)


def test_a_mistake_in_the_experiment_ends_with_exit_2_and_one_line(pods: Make) -> None:
    jobs = pods("jobs")
    experiment = jobs.pods[COORDINATOR][0]
    experiment["data"]["experiment.toml"] = 'game = "cooordination(agents=5)"\n'
    jobs.play(COORDINATOR)
    assert jobs.wait(COORDINATOR) == 2
    assert (
        jobs.logs(COORDINATOR).count("bnpg: error: /experiment/experiment.toml: unknown game 'cooordination'")
        == 1
    )
