"""Coordinator and agents started by hand on different hosts, in any order, come to the same policy."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bnpg_protocol.process.security.seal_key import write_seal_key

EXPERIMENT = ["coordination(agents=3)", "--rounds", "120", "--lanes", "8", "--horizon", "4", "--save-policy"]


def hand_out_keys(hosts) -> None:
    """Each host gets the files it needs and no other host's key."""
    keys = hosts.path / "keys"
    command = [sys.executable, "-P", "-m", "bnpg", "keys", "new", str(keys), "--agents", "3"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    hosts.add("hub")
    for file in ("coordinator.key", "roster.toml"):
        shutil.copy2(keys / file, hosts.path / "hub" / file)
    for agent in range(3):
        hosts.add(f"h{agent}")
        shutil.copy2(keys / f"agent-{agent}.key", hosts.path / f"h{agent}" / "own.key")
    shutil.rmtree(keys)


def start_coordinator(hosts, *options: str) -> None:
    hosts.start(
        "hub", "coordinator", *EXPERIMENT, "--listen", f"tcp://{hosts.address['hub']}:7000", "--out", "run",
        "--key", "coordinator.key", "--roster", "roster.toml", "--no-fsync", "--patience", "60", *options,
    )  # fmt: skip


def start_agent(hosts, agent: int, *options: str) -> None:
    hosts.start(
        f"h{agent}", "agent", "--connect", f"tcp://{hosts.address['hub']}:7000", "--state", "state",
        "--key", "own.key", "--no-fsync", "--patience", "60", *options,
    )  # fmt: skip


def outcome(hosts) -> str:
    assert hosts.processes["hub"].wait(90) == 0, hosts.log("hub")
    for agent in range(3):
        assert hosts.processes[f"h{agent}"].wait(20) == 0, hosts.log(f"h{agent}")
    return str(json.loads((hosts.path / "hub" / "run" / "summary.json").read_text())["policy_digest"])


def rounds(hosts) -> int:
    file = hosts.path / "hub" / "run" / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


@contextmanager
def held_at(hosts, round_: int) -> Iterator[None]:
    """Stop the coordinator at a round for as long as the context lasts: no machine is too fast."""
    hosts.until(f"round {round_}", lambda: rounds(hosts) >= round_)
    hosts.processes["hub"].send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        hosts.processes["hub"].send_signal(signal.SIGCONT)


def test_agents_may_come_before_the_coordinator_and_after_it(hosts, digest_in_memory) -> None:
    hand_out_keys(hosts)
    start_agent(hosts, 2)
    start_agent(hosts, 0)
    start_coordinator(hosts)
    hosts.until("two have joined", lambda: hosts.log("hub").count("joined") == 2)
    start_agent(hosts, 1)
    assert outcome(hosts) == digest_in_memory(*EXPERIMENT)
    # Everybody keeps its own theta, and nobody another's.
    for agent in range(3):
        identity = json.loads((hosts.path / f"h{agent}" / "state" / "agent.json").read_text())
        assert identity["agent"] == agent
    assert not (hosts.path / "hub" / "run" / "agents").exists()


def test_a_pulled_cable_and_a_host_that_dies_change_nothing(hosts, digest_in_memory) -> None:
    hand_out_keys(hosts)
    start_coordinator(hosts)
    for agent in range(3):
        start_agent(hosts, agent)
    with held_at(hosts, 20):
        hosts.cable("h1", plugged=False)
    # While h1 is cut off the run cannot end, so h0 dies in its midst however fast this machine is.
    hosts.processes["h0"].kill()
    hosts.processes["h0"].wait(10)
    assert not (hosts.path / "hub" / "run" / "summary.json").exists()
    time.sleep(1.5)  # the length of the fault
    hosts.cable("h1", plugged=True)
    start_agent(hosts, 0)
    assert outcome(hosts) == digest_in_memory(*EXPERIMENT)


def test_a_host_that_dies_with_its_disk_loses_nothing_that_was_sealed(hosts, digest_in_memory) -> None:
    hand_out_keys(hosts)
    start_coordinator(hosts, "--keep-sealed", "1000000")
    for agent in range(3):
        write_seal_key(hosts.path / f"agent-{agent}.seal")  # on no host's own disk, and not on the hub's
        start_agent(hosts, agent, *sealing(hosts, agent))
    with held_at(hosts, 20):
        hosts.cable("h2", plugged=False)  # so that the run cannot end meanwhile
    hosts.processes["h1"].kill()
    hosts.processes["h1"].wait(10)
    shutil.rmtree(hosts.path / "h1" / "state")
    start_agent(hosts, 1, *sealing(hosts, 1))
    hosts.until("it has what it sealed", lambda: "sealed checkpoints opened" in hosts.log("h1"))
    hosts.cable("h2", plugged=True)
    assert outcome(hosts) == digest_in_memory(*EXPERIMENT)


def sealing(hosts, agent: int) -> tuple[str, ...]:
    return ("--agent", str(agent), "--seal", str(hosts.path / f"agent-{agent}.seal"))


def test_without_a_key_a_host_says_what_it_needs(hosts) -> None:
    hand_out_keys(hosts)
    start_coordinator(hosts)
    hosts.start("h0", "agent", "--connect", f"tcp://{hosts.address['hub']}:7000", "--state", "state")
    assert hosts.processes["h0"].wait(30) == 2
    assert "needs a key" in hosts.log("h0")
    assert len(hosts.log("h0").splitlines()) == 1
