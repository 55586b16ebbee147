"""What others' code changes of its process stays its own: its folder, its children, the end of it."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from bnpg_coordinator.environments.containment import contained

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


def test_its_working_folder_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir()
    monkeypatch.chdir(ours)
    with contained():
        assert Path.cwd() == ours
        os.chdir(theirs)
    assert Path.cwd() == ours
    with contained():
        assert Path.cwd() == theirs
        with contained():
            assert Path.cwd() == theirs
    assert Path.cwd() == ours
    with suppress(FileNotFoundError), contained():
        os.chdir(tmp_path)
        os.chdir("nowhere")
    assert Path.cwd() == ours
    with contained():
        assert Path.cwd() == tmp_path
        os.chdir(ours)
    with contained():
        assert Path.cwd() == ours


def test_other_threads_send_nobody_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with contained():
        os.chdir("/")
    found = []

    def look() -> None:
        with contained():
            found.append(Path.cwd())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert (found, Path.cwd()) == ([tmp_path], tmp_path)
    with contained():
        os.chdir(tmp_path)


def test_a_working_folder_that_is_removed_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with contained():
        Path("gone").mkdir()
        os.chdir("gone")
        (tmp_path / "gone").rmdir()
    assert Path.cwd() == tmp_path
    with contained():
        os.chdir(tmp_path)
    with contained():
        assert Path.cwd() == tmp_path


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
