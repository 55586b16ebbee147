"""What is wrong with a job is said before it is submitted."""

import subprocess
from pathlib import Path

import pytest

from bnpg.__main__ import main

SCRIPT = ["slurm-script", "coordination(agents=2)", "--nodes", "2", "--time", "10"]


def test_the_script_is_one_that_a_shell_reads(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "it's here"
    assert (
        main([*SCRIPT, "--rounds", "7", "--on-loss", "fail", "--out", str(out), "--sbatch", "partition=a"])
        == 0
    )
    script = capfd.readouterr().out
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False, timeout=20).returncode == 0
    assert "#SBATCH --partition=a\n" in script
    assert "#SBATCH --signal=B:TERM@60\n" in script
    command = next(line for line in script.splitlines() if " train " in line)
    assert command.endswith(
        "train 'coordination(agents=2)' --rounds 7 --on-loss fail --launcher slurm --out \"$run\" &"
    )
    assert "it'\"'\"'s here" in script


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--time", "soon"], "--time: expected minutes, H:MM:SS or D-H:MM, got 'soon'"),
        (["--sbatch", "a b"], "--sbatch: expected NAME=VALUE without blanks, got 'a b'"),
        (["--sbatch", "x=1\n#SBATCH"], "--sbatch: expected NAME=VALUE"),
        (["--dag", "0-9"], "9"),
        (["--nodes", "0"], "nodes"),
    ],
)
def test_what_cannot_be_is_refused(capfd: pytest.CaptureFixture[str], options: list[str], said: str) -> None:
    assert main([*SCRIPT, *options]) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert said in told.err


@pytest.mark.parametrize("there", [True, False])
def test_the_launcher_needs_an_allocation(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool
) -> None:
    monkeypatch.delenv("SLURM_JOB_NODELIST", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if there:
        for command in ("srun", "scontrol"):
            (tmp_path / command).touch(mode=0o755)
    out = tmp_path / "run"
    assert main(["train", "climbing", "--launcher", "slurm", "--out", str(out)]) == 2
    said = "expected an allocation (SLURM_JOB_NODELIST)" if there else "expected Slurm's srun on the PATH"
    assert said in capfd.readouterr().err
    assert not out.exists(), "no folder is left by a run that cannot be"


def test_an_allocation_that_names_no_host_is_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for command in ("srun", "scontrol"):
        (tmp_path / command).write_text("#!/bin/sh\n")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_NODELIST", "somewhere")
    assert main(["train", "climbing", "--launcher", "slurm", "--quiet", "--out", str(tmp_path / "run")]) == 2
    assert "scontrol show hostnames somewhere names no host" in capfd.readouterr().err
