"""What others' code changes of its process stays its own: its folder, its children, the end of it."""

import subprocess
import sys
from pathlib import Path

import pytest

ENDING = """
import atexit, os, sys
from bnpg_protocol.process.surroundings import OURS
from bnpg_coordinator.environments.containment import contained
OURS.set()
with contained():
    atexit.register(lambda: os._exit(0))
"""
FORKING = """
import multiprocessing, os, sys, time
from bnpg_protocol.process.endings import interruptible
interruptible()
def work(begun):
    begun.send(1)
    time.sleep(60)
ours, theirs = multiprocessing.Pipe()
child = multiprocessing.get_context("fork").Process(target=work, args=(theirs,), daemon=True)
child.start()
ours.recv()
"""


FOLDERS = """
import os, sys
from pathlib import Path
from bnpg_protocol.process.surroundings import OURS
from bnpg_coordinator.environments.containment import contained, runs_now
ours = Path.cwd()
for name in ("theirs", "gone"):
    Path(name).mkdir()
def seen():
    with contained():
        return Path.cwd()
"""
ITS_OWN = """
OURS.set()
with contained():
    os.chdir("theirs")
    with contained():
        assert Path.cwd() == ours / "theirs"
assert (Path.cwd(), seen(), Path.cwd()) == (ours, ours / "theirs", ours)
runs_now("another")
assert seen() == ours
with contained():
    os.chdir("gone")
    os.rmdir(ours / "gone")
assert Path.cwd() == ours
assert seen() == ours
runs_now("")
assert seen() == ours / "theirs"
try:
    with contained():
        os.chdir(ours)
        os.chdir("nowhere")
except FileNotFoundError:
    assert seen() == Path.cwd() == ours
    print("as it should be")
"""
OF_THE_PROGRAM = """
with contained():
    os.chdir("theirs")
assert Path.cwd() == ours / "theirs"
os.chdir(ours)
assert seen() == ours
print("as it should be")
"""


@pytest.mark.parametrize("program", [ITS_OWN, OF_THE_PROGRAM], ids=["ours", "of a program"])
def test_the_working_folder_of_an_environment_is_its_own_in_a_process_of_ours(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ended(FOLDERS + program) == (0, "as it should be\n")


def ended(program: str) -> tuple[int, str]:
    """Return the exit code of a program, and what it said of itself."""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return found.returncode, found.stdout + found.stderr


def test_what_it_leaves_for_the_end_does_not_change_the_exit_code() -> None:
    told = "from bnpg_protocol.process.the_end import end_with\nend_with(9, 'bnpg')\nsys.exit(9)"
    assert ended(f"{ENDING}{told}") == (9, "")


def test_a_child_that_it_forks_ends_by_a_polite_kill_without_a_word() -> None:
    assert ended(FORKING) == (0, "")
    stopped = "child.terminate(); child.join(); print(child.exitcode)"
    assert ended(f"{FORKING}{stopped}") == (0, "-15\n")
