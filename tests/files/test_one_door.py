"""Nobody opens a file that was perhaps written by others, but by the one door, `bnpg_files.reading`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import bnpg_agents
import bnpg_coordinator
import bnpg_protocol

import bnpg
import bnpg_files
import bnpg_math

ROOMS = [
    Path(str(room.__file__)).parent
    for room in (bnpg, bnpg_agents, bnpg_coordinator, bnpg_files, bnpg_math, bnpg_protocol)
]
READERS = {"read_text", "read_bytes"}
DECODERS = {"json": {"load", "loads"}, "tomllib": {"load", "loads"}, "toml": {"decode"}}
ARRAYS = {"load", "fromfile", "loadtxt", "genfromtxt", "memmap"}

ELSEWHERE = {
    "bnpg_files/reading.py": "the door",
    "bnpg/certified/exact_check.py": "runs alone, with nothing but Python; has a small door of its own",
    "bnpg/report/page.py": "templates of our own",
    "bnpg/examples_shipped.py": "examples of our own",
    "bnpg_protocol/core/build.py": "sources of our own, as they are compiled",
    "bnpg_protocol/core/sources.py": "sources of our own, and what was compiled from them",
    "bnpg_agents/npy.py": "numpy on bytes that came through the door",
    "bnpg_coordinator/critic_state.py": "numpy on bytes that came through the door",
    "bnpg_math/arrays/npz.py": "numpy on a file that the door has opened",
    "bnpg/launchers/adoption.py": "what a process of our own says through a pipe",
    "bnpg/launchers/nursery.py": "what the launcher says through a pipe",
    "bnpg/sweeps/worker.py": "what the sweep says through a pipe",
    "bnpg/sweeps/workers.py": "what a worker of our own says through a pipe",
    "bnpg/cli/status.py": "what a coordinator answers over HTTP",
}


def findings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield lines and calls that read a file, or decode what was read, without a type."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id == "open" and not _writes(node, 1):
            yield node.lineno, "open"
        if not isinstance(called, ast.Attribute):
            continue
        owner = called.value.id if isinstance(called.value, ast.Name) else ""
        owner = called.value.attr if isinstance(called.value, ast.Attribute) else owner
        if called.attr in READERS or called.attr in DECODERS.get(owner, ()):
            yield node.lineno, f"{owner}.{called.attr}"
        if owner == "np" and called.attr in ARRAYS:
            yield node.lineno, f"np.{called.attr}"
        if called.attr == "open" and owner not in ("os", "webbrowser") and not _writes(node, 0):
            yield node.lineno, f"{owner}.open"


def _writes(call: ast.Call, at: int) -> bool:
    """Whether a call opens a file in order to write it, or a descriptor that is open already."""
    given = [*call.args[at : at + 1], *(word.value for word in call.keywords if word.arg == "mode")]
    mode = given[0].value if given and isinstance(given[0], ast.Constant) else ""
    first = call.args[0] if call.args else None
    descriptor = isinstance(first, ast.Constant) and isinstance(first.value, int)
    return descriptor or (isinstance(mode, str) and any(letter in mode for letter in "wxa"))


def modules() -> Iterator[tuple[str, ast.AST]]:
    for room in ROOMS:
        for path in sorted(room.rglob("*.py")):
            name = str(path.relative_to(room.parent))
            if not name.startswith("bnpg/lab/"):  # its files are its own, of the same minute
                yield name, ast.parse(path.read_text())


def test_nobody_reads_a_file_but_by_the_door() -> None:
    found = {name: list(findings(tree)) for name, tree in modules() if name not in ELSEWHERE}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_every_exception_is_needed() -> None:
    found = {name for name, tree in modules() if list(findings(tree))}
    assert set(ELSEWHERE) - found == set()


def test_what_it_looks_for_it_finds() -> None:
    for line in (
        "open(path)",
        "open(path, 'rb')",
        "path.open()",
        "path.open('rb+')",
        "path.read_text()",
        "json.loads(text)",
        "np.load(path)",
        "msgspec.toml.decode(text)",
    ):
        assert list(findings(ast.parse(line))), line
    for line in (
        "open(path, 'wb')",
        "path.open('w', newline='')",
        "open(0, closefd=False)",
        "os.open(path, 0)",
    ):
        assert not list(findings(ast.parse(line))), line
