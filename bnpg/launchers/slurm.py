"""The Slurm launcher: inside an allocation, the coordinator on this host, the agents on all of its hosts.

One step of one task a host, whatever the number of agents: Slurm is asked for few things, and an agent that
dies is started again without it. The steps end with this process.
"""

import os
import shutil
import subprocess
import sys

from bnpg_protocol.process.fence import Fence

from bnpg.launchers.hosts import CommandPlace
from bnpg.launchers.launch import OnLine
from bnpg.launchers.network import launch_on
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.run_folder import RunFolder
from bnpg_math.errors import InputError

ASK_PATIENCE = 60.0
"""Seconds that Slurm's controller has for an answer."""
STEP = (
    "srun", "--nodes=1", "--ntasks=1", "--overlap", "--mem=0", "--cpu-bind=none", "--no-kill", "--unbuffered",
    "--job-name=bnpg-host",
)  # fmt: skip
"""A step that shares its host with others and does not end with another host."""


def check(_settings: LaunchSettings | None = None) -> None:
    """Refuse to go on where there is no allocation.

    Raises
    ------
    InputError
        If this process is not in one, or Slurm's commands are missing.
    """
    for command in ("srun", "scontrol"):
        if shutil.which(command) is None:
            raise InputError(f"--launcher slurm: expected Slurm's {command} on the PATH, found none")
    if not os.environ.get("SLURM_JOB_NODELIST"):
        raise InputError(
            "--launcher slurm: expected an allocation (SLURM_JOB_NODELIST), found none; `bnpg slurm-script` "
            "prints a job script, `salloc` gives an allocation"
        )


def allocated_hosts() -> list[str]:
    """Return the hosts of this allocation, the first one first.

    Raises
    ------
    InputError
        If there is no allocation, or Slurm does not say.
    """
    check()
    asked = ["scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]]
    try:
        listed = subprocess.run(asked, capture_output=True, text=True, timeout=ASK_PATIENCE, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        raise InputError(f"--launcher slurm: {' '.join(asked)} failed: {error}") from None
    hosts = listed.stdout.split()
    if not hosts:
        raise InputError(f"--launcher slurm: {' '.join(asked)} names no host")
    return hosts


def launch(run: RunFolder, settings: LaunchSettings, fence: Fence, on_line: OnLine) -> Outcome:
    """Run the agents in the steps of an allocation: a :class:`~bnpg.launchers.launch.Launch`."""
    # -P: the packages of this project, not folders of the same names where the user happens to be.
    host = [sys.executable, "-P", "-m", "bnpg.launchers.host"]
    commands = {name: [*STEP, f"--nodelist={name}", *host] for name in allocated_hosts()}
    return launch_on(lambda public: CommandPlace(commands, public), run, settings, fence, on_line)
