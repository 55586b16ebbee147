"""A real Slurm of our own: one controller and three hosts as daemons on this machine, on loopback.

Everything it writes is in one folder; nothing of this machine's configuration is read or changed. Needs root
and Debian's packages slurmctld, slurmd, slurm-client and munge.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("slurmctld", "slurmd", "munged", "srun", "sbatch", "scontrol")
HOSTS = ("n1", "n2", "n3")
PATIENCE = 60.0
"""Seconds that the daemons have to come up, or to end."""
_CONF = """
ClusterName=bnpg
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
ReturnToService=2
SlurmdTimeout=20
KillWait=10
SchedulerParameters=batch_sched_delay=0,sched_interval=2
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Return which of the daemons and commands this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [one for one in DAEMONS if shutil.which(one, path=path) is None]


class Slurm:
    """A running Slurm.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        }
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        """Start one of the daemons in the foreground."""
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment,
                start_new_session=True,
            )  # fmt: skip

    def ask(self, *command: str) -> str:
        """Run one of Slurm's commands; return what it says, or nothing if it fails."""
        told = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        return told.stdout if told.returncode == 0 else ""

    def until(self, what: str, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait for something, and say what all daemons logged if it does not come."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.logs()}"
            dead = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            assert not dead, f"{dead} ended\n{self.logs()}"
            time.sleep(0.05)

    def logs(self) -> str:
        """Return the ends of all logs."""
        files = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "\n".join(f"--- {one.name}\n{one.read_text(errors='replace')[-3000:]}" for one in files)

    def state(self, job: str) -> str:
        """Return the state of a job, such as RUNNING; empty if it is not known."""
        shown = self.ask("scontrol", "show", "job", job)
        return next((one.split("=")[1] for one in shown.split() if one.startswith("JobState=")), "")

    def idle(self) -> int:
        """Return how many hosts wait for work."""
        return self.ask("sinfo", "-h", "-N", "-o", "%t").split().count("idle")

    def submit(self, script: Path) -> str:
        """Submit a job script; return the job's number."""
        told = subprocess.run(
            ["sbatch", "--parsable", str(script)], env=self.environment, cwd=script.parent,
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert told.returncode == 0, f"{told.stderr}\n{self.logs()}"
        return told.stdout.strip()


@contextmanager
def running_slurm() -> Iterator[Slurm]:
    """Start a Slurm of three hosts; it is gone when the context ends, and its folder is."""
    # Not in a folder of tests: munge wants every folder above its socket open for everybody.
    with tempfile.TemporaryDirectory(prefix="bnpg-slurm-") as folder:
        Path(folder).chmod(0o755)
        yield from _running(Path(folder))


def _running(folder: Path) -> Iterator[Slurm]:
    slurm = Slurm(folder)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    for name in ("state", *(f"spool-{host}" for host in HOSTS)):
        (folder / name).mkdir()
    with ExitStack() as held:
        ports = [_free_port(held) for _ in range(1 + len(HOSTS))]
    here = socket.gethostname()
    nodes = [
        f"NodeName={host} NodeHostname={here} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=1000"
        for host, port in zip(HOSTS, ports[1:], strict=True)
    ]
    conf = _CONF.format(host=here, port=ports[0], folder=folder, user="root", nodes="\n".join(nodes))
    (folder / "slurm.conf").write_text(conf)
    try:
        slurm.start(
            "munged", "munged", "--foreground", "--num-threads=2", f"--key-file={key}",
            f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed",
        )  # fmt: skip
        slurm.until("munge listens", (folder / "munge.socket").exists)
        slurm.start("slurmctld", "slurmctld", "-D", "-c")
        for host in HOSTS:
            slurm.start(f"slurmd-{host}", "slurmd", "-D", "-c", "-N", host)
        slurm.until(
            "three hosts are idle", lambda: slurm.ask("sinfo", "-h", "-N", "-o", "%t").split() == ["idle"] * 3
        )
        yield slurm
    finally:
        for job in slurm.ask("squeue", "-h", "-o", "%i").split():
            slurm.ask("scancel", job)
        deadline = time.monotonic() + 20.0
        while slurm.ask("squeue", "-h", "-o", "%i").split() and time.monotonic() < deadline:
            time.sleep(0.1)
        for daemon in reversed(list(slurm.daemons.values())):
            daemon.terminate()
        for daemon in slurm.daemons.values():
            try:
                daemon.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _free_port(held: ExitStack) -> int:
    """Return a port that nobody has, kept from others until all are found."""
    probe = held.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    return int(probe.getsockname()[1])
