"""A launcher with agents on three hosts: everything that happened there is in its run folder.

Slurm's two commands are played by scripts that lead into network namespaces; what they are asked to start is
what a real Slurm starts.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bnpg_protocol.process.security.seal_key import write_seal_key

# So many rounds that whoever asks for the status meanwhile is answered before they are over.
EXPERIMENT = ["coordination(agents=3)", "--dag", "line", "--rounds", "300", "--lanes", "4", "--horizon", "3"]
HOSTS = ("h0", "h1", "h2")
SRUN = """#!{python}
import os, sys
host = next(word.split("=")[1] for word in sys.argv if word.startswith("--nodelist="))
command = sys.argv[sys.argv.index("-P") - 1 :]
os.execvp("nsenter", ["nsenter", "--net=/run/netns/{tag}-" + host, *command])
"""


@pytest.fixture
def cluster(hosts, monkeypatch: pytest.MonkeyPatch):
    for name in ("hub", *HOSTS):
        hosts.add(name)
    commands = {
        "srun": SRUN.format(python=sys.executable, tag=hosts._tag),
        "scontrol": "#!/bin/sh\nprintf '%s\\n' " + " ".join(HOSTS) + "\n",
    }
    for name, text in commands.items():
        (hosts.path / name).write_text(text)
        (hosts.path / name).chmod(0o755)
    monkeypatch.setitem(hosts._environment, "PATH", f"{hosts.path}:{os.environ['PATH']}")
    monkeypatch.setitem(hosts._environment, "SLURM_JOB_NODELIST", "h[0-2]")
    return hosts


def bnpg(folder: Path, *words: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "bnpg", *words],
        cwd=folder, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return ran.stdout


def test_logs_traces_and_status_of_three_hosts_are_those_of_one_machine(cluster, digest_in_memory) -> None:
    write_seal_key(cluster.path / "team.seal")
    cluster.start(
        "hub", "train", *EXPERIMENT, "--launcher", "slurm", "--advertise", cluster.address["hub"], "--trace",
        "--seal", str(cluster.path / "team.seal"), "--out", "run", "--no-fsync",
    )  # fmt: skip
    hub = cluster.path / "hub"
    record = hub / "run" / "metrics.jsonl"
    cluster.until("a round is done", lambda: record.exists() and record.read_bytes().count(b"\n") > 3)
    # It is written every half a second at the most: on a fast machine rounds are done before the second time.
    written = hub / "run" / "status.json"
    cluster.until("it says more", lambda: json.loads(written.read_text())["phase"] != "gathering")
    status = json.loads(bnpg(hub, "status", "run", "--json"))
    assert set(status["agents"]) == {"0", "1", "2"}
    assert cluster.processes["hub"].wait(100) == 0, cluster.log("hub")
    summary = json.loads((hub / "run" / "summary.json").read_text())
    assert summary["policy_digest"] == digest_in_memory(*EXPERIMENT)
    assert "4 processes, 4 lives" in bnpg(hub, "trace", "check", "run")
    names = {file.name for file in (hub / "run" / "logs").iterdir()}
    assert names == {"coordinator.log", "agent-0.log", "agent-1.log", "agent-2.log"}
    bnpg(hub, "report", "run", "--out", "page.html")
    assert "agent-2" in (hub / "page.html").read_text()
