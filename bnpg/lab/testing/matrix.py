"""Do hosts that are taken for alike come to the same bits? Kernels, versions of numpy and of Python.

    python -P -m bnpg.lab.testing.matrix --pythons python3.11,python3.13 --numpys pinned,2.2.6
    python -P -m bnpg.lab.testing.matrix --here     # what this interpreter comes to, as an object

Runs of a fixed set are played in every combination of an interpreter, a numpy and a kernel of OpenBLAS
(``OPENBLAS_CORETYPE``; one that the processor lacks is left out, and said to be). Each says its fingerprint
and the digests of what it came to. Where fingerprints are the same, `bnpg resume` goes on, so the digests
must be the same. Where they differ it refuses, whether or not this small set shows a difference.

Environments are made in the folder, from the hash-pinned requirements, and kept there for the next time.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bnpg_protocol.process.threads import ONE_THREAD

KERNELS = ("", "Prescott", "Nehalem", "Sandybridge", "Haswell", "SkylakeX")
"""Those of x86-64; the first is what OpenBLAS chooses."""
CASES: tuple[dict[str, Any], ...] = (
    {"game": "coordination(agents=4)", "dag": "line", "rounds": 20, "lanes": 16, "horizon": 5},
    {"game": "coordination(agents=3)", "mode": "exact", "rounds": 30, "direction": "natural"},
    {"game": "random(agents=3, states=9, actions=3, seed=4)", "dag": "complete", "mode": "exact",
     "rounds": 20, "momentum": "nesterov", "initial": "normal", "regularization": 0.01},
    {"game": "random(agents=4, states=40, actions=2, seed=1)", "mode": "exact", "rounds": 6,
     "step_size": "barzilai-borwein", "learning_rate": 0.5, "initial": "normal"},
)  # fmt: skip
PINNED = "pinned"
ROOT = Path(__file__).resolve().parents[3]


def here() -> dict[str, Any]:
    """Play the fixed set in this process; return what it is, its fingerprint and its digests."""
    import numpy as np
    import scipy

    import bnpg
    from bnpg.rounding import rounding_here

    digests = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            run = bnpg.train(**case, evaluate_every=1, fsync=False, out=Path(folder) / "run")
            lines = [
                {key: value for key, value in line.items() if key not in ("seconds", "chain")}
                for line in run.lines
            ]
            policy = str((run.summary or {})["policy_digest"])
            said = json.dumps(lines, sort_keys=True).encode()
            digests.append(f"{policy[:16]}-{hashlib.sha256(said).hexdigest()[:16]}")
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "kernel": os.environ.get("OPENBLAS_CORETYPE", ""),
        "fingerprint": rounding_here(),
        "digests": digests,
    }


def of_kernels(interpreter: str, kernels: Iterable[str] = KERNELS) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what an interpreter comes to with each kernel, and the kernels that this processor lacks.

    Raises
    ------
    RuntimeError
        If one fails, with what it wrote.
    """
    found, lacking = [], []
    for kernel in kernels:
        environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
        environment |= ONE_THREAD | ({"OPENBLAS_CORETYPE": kernel} if kernel else {})
        command = [interpreter, "-P", "-m", "bnpg.lab.testing.matrix", "--here"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if kernel and done.returncode == -signal.SIGILL:
            lacking.append(kernel)
            continue
        if done.returncode:
            raise RuntimeError(f"{interpreter} with {kernel or 'its own kernel'}: {done.stderr}")
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return found, lacking


def broken(found: list[dict[str, Any]]) -> list[str]:
    """Return where hosts with one fingerprint came to different digests."""
    alike = defaultdict(list)
    for one in found:
        alike[one["fingerprint"]].append(one)
    return [
        f"{shown(same[0])} and {shown(one)} share the fingerprint {fingerprint}, but not {CASES[place]}"
        for fingerprint, same in alike.items()
        for one in same[1:]
        for place in range(len(CASES))
        if one["digests"][place] != same[0]["digests"][place]
    ]


def shown(one: dict[str, Any]) -> str:
    """Name a combination."""
    return f"Python {one['python']}, numpy {one['numpy']}, kernel {one['kernel'] or 'chosen'}"


def environment(folder: Path, python: str, numpy: str) -> str:
    """Make an environment, if it is not there yet; return its interpreter, or nothing if it cannot be."""
    interpreter = _interpreter(python)
    if not interpreter:
        return ""
    place = folder / f"{Path(python).name}-numpy-{numpy}"
    inside = str(place / "bin" / "python")
    if (place / "ready").exists():
        return inside
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", str(place)], check=True)
    install = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    requirements = ["--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")]
    subprocess.run([*install, *requirements], check=True)
    if numpy != PINNED:
        chosen = [*install, "--no-deps", "--only-binary", ":all:", f"numpy=={numpy}"]
        if subprocess.run(chosen, check=False).returncode:
            return ""
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "--no-index", "-e", str(ROOT)], check=True)
    (place / "ready").touch()
    return inside


def _interpreter(name: str) -> str:
    """Return the path of an interpreter that starts; those of pyenv are found without its being asked."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{name.removeprefix('python')}.*/bin/python"))
    for candidate in (shutil.which(name), *map(str, installed)):
        if (
            candidate
            and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0
        ):
            return candidate
    return ""


def main() -> int:
    """Play the set everywhere; show who shares a fingerprint, and whether they share the digests."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("build/matrix"))
    parser.add_argument("--pythons", default="python3.11,python3.12,python3.13")
    parser.add_argument("--numpys", default=f"{PINNED},2.2.6")
    parser.add_argument("--kernels", default=",".join(KERNELS))
    given = parser.parse_args()
    if given.here:
        sys.stdout.write(json.dumps(here()) + "\n")
        return 0
    found, missing = [], []
    without: dict[str, None] = {}
    for python in given.pythons.split(","):
        for numpy in given.numpys.split(","):
            # It may take half an hour: an environment is installed, and each kernel plays the set.
            print(f"{python} with numpy {numpy} ..", file=sys.stderr, flush=True)
            inside = environment(given.folder, python, numpy)
            if inside:
                there, lacking = of_kernels(inside, given.kernels.split(","))
                found += there
                without |= dict.fromkeys(lacking)
            else:
                missing.append(f"{python} with numpy {numpy}")
    alike = defaultdict(list)
    for one in found:
        alike[one["fingerprint"], tuple(one["digests"])].append(one)
    for (fingerprint, digests), same in alike.items():
        print(f"{fingerprint}  {' '.join(digest[:8] for digest in digests)}")
        for one in same:
            print(f"    {shown(one)}")
    for name in missing:
        print(f"not tried, since it cannot be installed here: {name}")
    for kernel in without:
        print(f"not tried, since this processor lacks what it needs: kernel {kernel}")
    wrong = broken(found)
    for line in wrong:
        print(f"broken: {line}")
    kinds, results = (len({str(one[what]) for one in found}) for what in ("fingerprint", "digests"))
    print(
        f"{len(found)} combinations, {kinds} fingerprints, {results} different results, {len(wrong)} broken"
    )
    return 5 if wrong or not found else 0


if __name__ == "__main__":
    sys.exit(main())
