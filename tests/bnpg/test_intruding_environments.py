"""Environments that change the process they run in: the run is the same, and where it was asked for."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")
STRANGE = Path(__file__).parents[1] / "coordinator/environments/strange.py"
INTRUDING = """
import atexit, multiprocessing, os, signal, threading, time, warnings
from strange import Meeting

class Intruding(Meeting):
    def __init__(self):
        super().__init__()
        os.chdir("/")
        warnings.simplefilter("error")

    def step(self, actions):
        if not multiprocessing.active_children():
            multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True).start()
        return super().step(actions)

class Leaving(Meeting):
    def __init__(self):
        super().__init__()
        atexit.register(lambda: os._exit(0))

    def step(self, actions):
        if self.time == 2:
            leave = threading.Thread(target=lambda: os._exit(0))
            leave.start()
            leave.join()
        return super().step(actions)
"""
EXPERIMENT = ("--rounds", "2", "--steps", "8", "--lanes", "4", "--no-fsync", "--quiet")
LEFT = "the environment raised SystemExit: os._exit(0) in a thread of its own, here or earlier"


def bnpg(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "bnpg", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def beside(here: Path) -> Path:
    shutil.copy(STRANGE, "strange.py")
    Path("intruding.py").write_text(INTRUDING)
    return here


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_a_run_is_where_it_was_asked_for_and_comes_to_the_same(beside: Path, launcher: str) -> None:
    digests = []
    for name in ("strange:Meeting", "intruding:Intruding"):
        out = f"of-{name.partition(':')[0]}"
        ended = bnpg("train", name, *EXPERIMENT, "--launcher", launcher, "--out", out)
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
        assert ended.stderr.count("get different rewards") == 1
        digests.append(json.loads((beside / out / "summary.json").read_text())["policy_digest"])
    assert digests[0] == digests[1]


def test_one_that_leaves_the_process_ends_a_command_and_the_runs_of_a_sweep_with_a_line(beside: Path) -> None:
    ended = bnpg("train", "intruding:Leaving", *EXPERIMENT, "--launcher", "memory", "--out", "left")
    assert (ended.returncode, LEFT in ended.stderr) == (9, True), ended.stderr
    ended = bnpg("env", "check", "intruding:Leaving")
    assert (ended.returncode, LEFT in ended.stderr) == (5, True), ended.stderr
    grid = '[base]\ngame = "intruding:Leaving"\nrounds = 1\nsteps = 8\nlanes = 4\n[grid]\nseed = [0, 1]\n'
    Path("grid.toml").write_text(grid)
    ended = bnpg("sweep", "grid.toml", "--out", "both", "--jobs", "1")
    why = f"2 of 2 runs failed, the first is 0_seed-0: round 0, lane 3, step 2, all agents: {LEFT}"
    assert (ended.returncode, why in ended.stderr) == (3, True), ended.stderr
    assert ended.stderr.count("get different rewards") == 1
