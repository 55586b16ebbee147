"""A real Slurm of three hosts: the result of a job is that of the memory launcher, whatever happens to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from bnpg_protocol.process.security.seal_key import write_seal_key

from bnpg.__main__ import main
from bnpg.lab.testing.slurm import Slurm, missing, running_slurm
from tests.engines.sweeps import sweep_outputs

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]
EXPERIMENT = ["coordination(agents=4)", "--dag", "line", "--lanes", "4", "--horizon", "3", "--no-fsync"]
ADVERTISE = ["--advertise", "127.0.0.1"]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    if not os.environ.get("BNPG_ENGINES"):
        pytest.skip("takes minutes: make engines")
    lacking = missing()
    if lacking or os.geteuid() != 0:
        why = f"needs root and {', '.join(lacking)} (Debian: slurmctld slurmd slurm-client munge)"
        pytest.fail(why, pytrace=False)
    with running_slurm() as slurm:
        yield slurm


@pytest.fixture
def digest(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    def digest(rounds: int) -> str:
        words = [*EXPERIMENT, "--rounds", str(rounds), "--launcher", "memory", "--quiet", "--json"]
        assert main(["train", *words, "--out", str(tmp_path / "memory")]) == 0
        return str(json.loads(capfd.readouterr().out.splitlines()[-1])["policy_digest"])

    return digest


def script(folder: Path, rounds: int, *options: str) -> Path:
    """Write the job script that the command prints."""
    words = ["slurm-script", *EXPERIMENT, "--rounds", str(rounds), *ADVERTISE, *options]
    printed = subprocess.run(
        [sys.executable, "-P", "-m", "bnpg", *words, "--nodes", "3", "--out", str(folder / "run")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    file = folder / "job.sh"
    file.write_text(printed.stdout)
    return file


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "summary.json").read_text())
    return found


def rounds_done(folder: Path) -> int:
    record = folder / "run" / "metrics.jsonl"
    return len(record.read_bytes().splitlines()) if record.exists() else 0


def finished(slurm: Slurm, job: str) -> bool:
    return slurm.state(job) in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


def agent(slurm: Slurm, number: int) -> psutil.Process:
    """Return the process of an agent of this very Slurm."""
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if not " ".join(one.cmdline()).startswith(f"bnpg-agent-{number}"):
                continue
            host = one.parent()  # an agent's own environment is where its title is now
            if host is not None and host.environ().get("SLURM_CONF") == slurm.environment["SLURM_CONF"]:
                return one
    raise AssertionError(f"there is no agent {number}")


def test_the_result_is_that_of_the_memory_launcher(slurm: Slurm, tmp_path: Path, digest: Any) -> None:
    job = slurm.submit(script(tmp_path, 10, "--time", "5"))
    slurm.until("the job is done", lambda: finished(slurm, job), 120)
    log = (tmp_path / f"bnpg-{job}.log").read_text()
    assert slurm.state(job) == "COMPLETED", log
    assert summary(tmp_path)["policy_digest"] == digest(10)
    everything = [
        log,
        (tmp_path / "job.sh").read_text(),
        slurm.ask("scontrol", "show", "job", job),
        slurm.logs(),
    ]
    assert not any("secret" in one.lower() for one in everything)
    assert not list((tmp_path / "run").rglob("*.key")), "no private key in the run folder"


def test_an_agent_that_is_killed_is_started_again(slurm: Slurm, tmp_path: Path, digest: Any) -> None:
    job = slurm.submit(script(tmp_path, 300, "--time", "5"))
    slurm.until("rounds are done", lambda: rounds_done(tmp_path) > 5, 120)
    agent(slurm, 2).kill()
    slurm.until("the job is done", lambda: finished(slurm, job), 150)
    log = (tmp_path / f"bnpg-{job}.log").read_text()
    assert 'restarted process=agent-2 because="was killed by signal 9"' in log
    assert summary(tmp_path)["policy_digest"] == digest(300)


def test_a_folder_that_is_lost_comes_back_from_what_is_sealed(
    slurm: Slurm, tmp_path: Path, digest: Any
) -> None:
    write_seal_key(tmp_path / "team.seal")
    job = slurm.submit(script(tmp_path, 300, "--time", "5", "--seal", str(tmp_path / "team.seal")))
    slurm.until("rounds are done", lambda: rounds_done(tmp_path) > 5, 120)
    lost = agent(slurm, 2)
    lost.suspend()
    shutil.move(tmp_path / "run" / "agents" / "agent-2", tmp_path / "lost")
    lost.kill()
    slurm.until("the job is done", lambda: finished(slurm, job), 150)
    log = (tmp_path / f"bnpg-{job}.log").read_text()
    assert "sealed checkpoints opened" in (tmp_path / "run" / "logs" / "agent-2.log").read_text(), log
    assert summary(tmp_path)["policy_digest"] == digest(300)
    key = (tmp_path / "team.seal").read_text().split('"')[1]
    shown = [log, slurm.ask("scontrol", "show", "job", job), slurm.logs(), (tmp_path / "job.sh").read_text()]
    assert not any(key in one for one in shown)


def test_a_job_that_is_told_to_end_is_queued_again_and_goes_on(
    slurm: Slurm, tmp_path: Path, digest: Any
) -> None:
    job = slurm.submit(script(tmp_path, 400, "--time", "5"))
    slurm.until("rounds are done", lambda: rounds_done(tmp_path) > 5, 120)
    # What Slurm itself sends a minute before the limit, of which a test need not wait for.
    assert slurm.ask("scancel", "--batch", f"--signal={signal.SIGTERM.name[3:]}", job) == ""
    slurm.until("it was queued again", lambda: "Restarts=1" in slurm.ask("scontrol", "show", "job", job), 60)
    before = summary(tmp_path)
    assert before["state"] == "interrupted"
    # Slurm itself waits two minutes. Not at once: a host knows credentials of a job by their second, and
    # refuses one of the second in which it was told that the job had ended.
    slurm.ask("scontrol", "update", f"JobId={job}", "StartTime=now+3")
    slurm.until("the job is done", lambda: finished(slurm, job), 200)
    log = (tmp_path / f"bnpg-{job}.log").read_text()
    assert slurm.state(job) == "COMPLETED", (
        f"{slurm.ask('scontrol', 'show', 'job', job)}\n{log}\n{slurm.logs()}"
    )
    after = summary(tmp_path)
    assert (after["state"], after["policy_digest"]) == ("done", digest(400))


@pytest.mark.skipif(find_spec("submitit") is None, reason="needs submitit (pip install 'bnpg[slurm]')")
def test_a_sweep_as_an_array_has_the_table_of_a_local_one(slurm: Slurm, tmp_path: Path) -> None:
    local = sweep_outputs(tmp_path / "local")
    there = ["--engine", "slurm", "--sbatch", "time=5"]
    assert sweep_outputs(tmp_path / "slurm", *there, environment=slurm.environment) == local
    assert not slurm.ask("squeue", "-h", "-o", "%i").split(), "no job is left"
