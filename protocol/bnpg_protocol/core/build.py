"""Compile the core, where everything for it is there: `python build.py`. Imports nothing of the project.

Run by the installation (`hatch_build.py`), by `make` and by `make sanitize`. Without a compiler, headers or
Cython nothing is built, and nothing is said: the program is the same without it.
"""

import argparse
import os
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
# By its path: the package may not be installed yet.
_SOURCES = runpy.run_path(str(HERE / "sources.py"))
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g", "-O1")


def compiler() -> list[str]:
    """Return the command of a C compiler; nothing if there is none."""
    configured = shlex.split(os.environ.get("CC", "") or sysconfig.get_config_var("CC") or "")
    for command in (configured[:1], ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    return []


def obstacle() -> str:
    """Return why the core cannot be compiled here, whether or not Cython is there; empty if it can."""
    if os.environ.get("BNPG_PURE") == "1":
        return "BNPG_PURE=1"
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "it is for CPython with its lock"
    if sys.byteorder != "little":
        return "it is for little-endian machines"
    if not compiler():
        return "there is no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "the headers of Python are not installed"
    return ""


def build(into: Path = HERE, flags: tuple[str, ...] = ()) -> str:
    """Compile the core into a folder; return why it was not, or the empty text.

    One that is there from these sources stays; one of other sources is not used, and is replaced at once.

    Parameters
    ----------
    into : Path
    flags : tuple of str
        For the compiler, beside its own.
    """
    target = into / f"_steady{SUFFIX}"
    digest = into / _SOURCES["DIGEST_FILE"]
    why = obstacle()
    if why:
        return why
    missing = [name for name in ("Cython", "numpy") if find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} missing"
    import numpy as np

    if not flags and target.is_file() and digest.is_file() and digest.read_text() == _SOURCES["digest"]():
        return ""
    with tempfile.TemporaryDirectory(prefix="bnpg-core-") as folder:
        work = Path(folder)
        for source in _SOURCES["sources"]():
            shutil.copy(source, work)
        headers = [f"-I{path}" for path in (sysconfig.get_path("include"), np.get_include())]
        fresh = work / target.name
        steps = [
            [
                *(sys.executable, "-m", "cython", "-3", "-Wextra", "--module-name"),
                *("bnpg_protocol.core._steady", "_steady.pyx", "-o", "_steady.c"),
            ],
            [
                *(*compiler(), "-O3", "-fPIC", "-shared", "-fwrapv", "-fno-strict-aliasing"),
                *("-DNDEBUG", "-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION"),
                *(*flags, *headers, "_steady.c", "-o", target.name),
            ],
        ]
        for step in steps:
            made = subprocess.run(step, cwd=work, capture_output=True, text=True, timeout=600, check=False)
            if made.returncode:
                return f"{' '.join(step[:3])} failed:\n{made.stdout}{made.stderr}"
        # Beside the place first: whoever imports it meanwhile finds a whole one or none.
        beside = into / f"{target.name}.{os.getpid()}"
        shutil.copy(fresh, beside)
        os.replace(beside, target)
        shutil.copy(_written(work / digest.name, _SOURCES["digest"]()), beside)
        os.replace(beside, digest)
    return ""


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="ascii")
    return path


def main() -> int:
    """Compile, or say whether that is possible; exit with 1 if it is not."""
    parser = argparse.ArgumentParser(description="Compile the core of bnpg.")
    parser.add_argument("--possible", action="store_true", help="only say whether a compiler is there")
    parser.add_argument("--into", type=Path, default=HERE, help="folder to put it in")
    parser.add_argument("--sanitize", action="store_true", help="watch addresses and undefined behaviour")
    given = parser.parse_args()
    why = obstacle() if given.possible else build(given.into, SANITIZERS if given.sanitize else ())
    if why and not given.possible:
        print(f"the core is not compiled: {why}", file=sys.stderr)
    return int(bool(why))


if __name__ == "__main__":
    sys.exit(main())
