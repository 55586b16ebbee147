"""Job scripts for Slurm."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.process.settings import Setting, declared

from bnpg.launchers.settings import LaunchSettings
from bnpg_math.errors import InputError

NOTICE = 60
"""Seconds before its limit at which a job is told to end."""
_TIME = re.compile(r"(\d+-)?\d+(:\d\d){0,2}")
_OPTION = re.compile(r"[a-z][a-z0-9-]*(=[^\s#'\"\\]+)?")
_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --time={time}
#SBATCH --signal=B:TERM@{notice}
#SBATCH --requeue
#SBATCH --no-kill
#SBATCH --open-mode=append
#SBATCH --output=bnpg-%j.log
{more}
# The run folder must be on a disk that all hosts share.
run={run}

if [ -e "$run/run.json" ]; then
  {bnpg} resume "$run" &
else
  {bnpg} train {words} --launcher slurm --out "$run" &
fi
child=$!
trap 'kill -TERM "$child"' TERM
wait "$child"; code=$?
while kill -0 "$child" 2> /dev/null; do wait "$child"; code=$?; done

# 130: it was told to end before it was done. The same job goes on later, where it is now.
if [ "$code" = 130 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""


def job_script(
    subject: str,
    nodes: int,
    time: str,
    out: str | None,
    options: Sequence[str],
    experiment: Mapping[str, Any],
    launch: Mapping[str, Any],
) -> str:
    """Return a job script.

    Parameters
    ----------
    subject : str
        A game or an experiment file.
    nodes : int
        Hosts of the job.
    time : str
        Its limit, as Slurm has it.
    out : str or None
        The run folder; None: named by the experiment and the job.
    options : sequence of str
        More options of the job, as NAME=VALUE.
    experiment, launch : mapping from key to value
        Settings that are given on the command line of the run.

    Raises
    ------
    InputError
        If something cannot stand in a job script.
    """
    if not _TIME.fullmatch(time):
        raise InputError(f"--time: expected minutes, H:MM:SS or D-H:MM, got {time!r}")
    job_options(options)
    file = subject.endswith(".toml")
    stem = Path(subject).stem if file else re.split(r"[(:]", subject)[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem) or "run"
    run = f'"$SLURM_SUBMIT_DIR/runs/{name}-$SLURM_JOB_ID"' if out is None else shlex.quote(_absolute(out))
    words = [_absolute(subject) if file or Path(subject).exists() else subject]
    for kind, asked in ((Experiment, experiment), (LaunchSettings, launch)):
        known = {field.key: field for field in declared(kind, Setting)}
        words += [word for key, value in asked.items() for word in known[key].arguments(value)]
    return _SCRIPT.format(
        name=f"bnpg-{name}",
        nodes=nodes,
        time=time,
        notice=NOTICE,
        more="".join(f"#SBATCH --{option}\n" for option in options),
        run=run,
        bnpg=shlex.join([sys.executable, "-P", "-m", "bnpg"]),
        words=shlex.join(words),
    )


def job_options(options: Sequence[str]) -> dict[str, str]:
    """Return options of a job by name.

    Raises
    ------
    InputError
        If one is not NAME=VALUE.
    """
    for option in options:
        if not _OPTION.fullmatch(option):
            raise InputError(f"--sbatch: expected NAME=VALUE without blanks, got {option!r}")
    return {name: value for name, _, value in (option.partition("=") for option in options)}


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
