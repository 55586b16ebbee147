"""Install pinned requirements, quietly but alive: which package is fetched, of how many, and for how long.

    python requirements/install.py requirements/run.txt

For pip says either nothing for minutes or a hundred lines. On a terminal one line is written over again;
elsewhere, as in a log, a line every half minute. What pip said is shown where it fails. It runs before
anything is installed, so it uses the standard library only.
"""

import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

PIP = (
    "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off",
    "--require-hashes", "-r",
)  # fmt: skip
OFTEN, SELDOM = 1.0, 30.0
"""Seconds between two lines on a terminal, and elsewhere."""


def pinned(path: str) -> list[str]:
    r"""Return the names of what a file of requirements pins.

    Lines with conditions count too, so there may be more than are fetched.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("# no package\nnumpy==2.0 \\\n    --hash=sha256:00\nscipy==1.0\n")
    ...     file.flush()
    ...     pinned(file.name)
    ['numpy', 'scipy']
    """
    with open(path, encoding="utf-8") as file:
        return re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", file.read(), flags=re.MULTILINE)


class Progress:
    """What pip is at, from the lines it writes.

    Examples
    --------
    >>> progress = Progress(3)
    >>> progress.read("Collecting numpy==2.0 (from -r run.txt (line 1))")
    >>> progress.line(4.2)
    'fetching 1 of 3: numpy (4 s)'
    >>> progress.read("Installing collected packages: scipy, numpy")
    >>> progress.line(9.9)
    'unpacking 2 packages (9 s)'
    """

    def __init__(self, total: int) -> None:
        self._total, self._seen, self._now = total, 0, "asking the index"

    def read(self, text: str) -> None:
        """Take one line of pip's."""
        word, _, rest = text.strip().partition(" ")
        if word in ("Collecting", "Requirement"):  # the latter: "already satisfied: name==version .."
            rest = rest.rpartition(": ")[2] if word == "Requirement" else rest
            self._seen += 1
            name = re.split(r"[=<>\[( ]", rest, maxsplit=1)[0]
            self._now = f"fetching {self._seen} of {max(self._total, self._seen)}: {name}"
        elif text.startswith("Installing collected packages:"):
            self._now = f"unpacking {text.count(',') + 1} packages"

    def line(self, seconds: float) -> str:
        """Return what is shown now."""
        return f"{self._now} ({int(seconds)} s)"


def install(
    path: str,
    command: Sequence[str],
    out: TextIO,
    terminal: bool,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Run pip and show how far it is.

    Parameters
    ----------
    path : str
        A file of pinned requirements.
    command : sequence of str
        What installs it; the path is added.
    out : text stream
        Where progress goes.
    terminal : bool
        Whether a line there can be written over.
    clock : callable

    Returns
    -------
    int
        The exit code of the command.
    """
    begun, total = clock(), len(pinned(path))
    progress, name = Progress(total), Path(path).name
    text: list[str] = []
    lines: queue.Queue[str | None] = queue.Queue()
    process = subprocess.Popen(
        [*command, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    )

    def listen() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=listen, daemon=True).start()
    shown = begun - (SELDOM if terminal else 0.0)
    if not terminal:
        print(f"installing {path}: at most {total} packages ..", file=out, flush=True)
    while True:
        try:
            line = lines.get(timeout=OFTEN)
        except queue.Empty:
            line = ""
        if line is None:
            break
        if line:
            text.append(line)
            progress.read(line)
        now = clock()
        if now - shown >= (OFTEN / 5 if terminal else SELDOM):
            shown, words = now, f"{name}: {progress.line(now - begun)}"
            out.write(f"\r\033[K{words[:78]}" if terminal else f"{words}\n")
            out.flush()
    code = process.wait()
    if terminal:
        out.write("\r\033[K")
    if code:
        out.write("".join(text))
    else:
        print(f"installed {path} in {int(clock() - begun)} s", file=out)
    out.flush()
    return code


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python requirements/install.py FILE.txt")
    try:
        sys.exit(install(sys.argv[1], (sys.executable, *PIP), sys.stderr, sys.stderr.isatty()))
    except KeyboardInterrupt:
        sys.exit(130)
