"""The machine at hand, as far as it explains numbers."""

import os
import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from bnpg_protocol import core

from bnpg.lab.bench.document import Machine

PACKAGES = ("numpy", "pyzmq", "msgpack", "msgspec", "ray")


def this_machine() -> Machine:
    """Describe the machine."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=f"{platform.python_version()} ({Path(sys.executable).resolve()})",
        packages=packages,
        core=core.name(),
        folder=_file_system(Path(tempfile.gettempdir()).resolve()),
        load=os.getloadavg()[0],
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """Return the kind of file system that holds a folder: on one in memory, fsync costs nothing."""
    kinds = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    for parent in (folder, *folder.parents):
        if str(parent) in kinds:
            return kinds[str(parent)]
    return "unknown"
