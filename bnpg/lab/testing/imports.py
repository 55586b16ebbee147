"""What an interpreter has loaded after a program, found out in one of its own."""

import subprocess
import sys
from collections.abc import Iterable


def loaded_by(program: str, names: Iterable[str]) -> list[str]:
    """Return which modules a program loads.

    Parameters
    ----------
    program : str
        Statements of Python, run by a fresh interpreter.
    names : iterable of str
        Modules that are looked for.
    """
    script = f"{program}\nimport sys\nprint(*(name for name in {list(names)!r} if name in sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=100, check=True
    )
    return ran.stdout.split()
