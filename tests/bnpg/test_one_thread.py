"""A program that imports bnpg has as many BLAS threads as cores; what bnpg computes in it has one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bnpg_protocol.process.threads import ONE_THREAD

PROGRAM = """
import json
import sys

import numpy as np
import threadpoolctl

import bnpg
from bnpg.evaluation.over_seeds import uniform_value
from bnpg.experiment_plan import plan_experiment

at_first = {one["filepath"]: one["num_threads"] for one in threadpoolctl.threadpool_info()}
seen = {}


def watched(module, name):
    function = getattr(module, name)

    def watching(*arguments, **given):
        seen.setdefault(name, []).extend(one["num_threads"] for one in threadpoolctl.threadpool_info())
        return function(*arguments, **given)

    setattr(module, name, watching)


import bnpg.evaluation.measure, bnpg.evaluation.over_seeds, bnpg.experiment_plan, bnpg.rounding
watched(bnpg.experiment_plan, "mismatch")
plan_experiment({"game": "random(states=3)", "mode": "exact", "stop-at-epsilon": 0.1})
watched(bnpg.evaluation.measure, "gradient_norm")
watched(bnpg.evaluation.over_seeds, "evaluate")
watched(bnpg.rounding, "full_fingerprint")
run = bnpg.train("climbing", mode="exact", rounds=2, evaluate_every=1, out="run")
bnpg.evaluate("climbing", run.policy)
uniform_value(bnpg.game("climbing"))
after = {one["filepath"]: one["num_threads"] for one in threadpoolctl.threadpool_info()}
kept = all(after[path] == threads for path, threads in at_first.items())
print(json.dumps({"seen": seen, "blas": len(after), "kept": kept, "most": max(at_first.values())}))
"""


def many_threads() -> dict[str, str]:
    """Return the environment of a program in which BLAS takes as many threads as there are cores."""
    return {name: value for name, value in os.environ.items() if name not in ONE_THREAD}


def test_what_is_kept_is_computed_in_one_thread_and_the_program_keeps_its_own(tmp_path: Path) -> None:
    environment = many_threads()
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(ran.stdout.splitlines()[-1])
    if told["most"] == 1:
        pytest.skip("one core: nothing is shared among threads anyway")
    assert told["kept"]
    assert told["blas"] >= 2, "numpy's and scipy's"
    for name in ("mismatch", "gradient_norm", "evaluate", "full_fingerprint"):
        assert set(told["seen"][name]) == {1}, name
        assert len(told["seen"][name]) >= 2, name
    resumed = [sys.executable, "-m", "bnpg", "resume", "run", "--rounds", "3", "--quiet"]
    on_the_command_line = subprocess.run(
        resumed, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert (on_the_command_line.returncode, on_the_command_line.stderr) == (0, "")


OVERLAPPING = """
import numpy
import threadpoolctl

from bnpg.one_thread import one_thread

at_first = [one["num_threads"] for one in threadpoolctl.threadpool_info()]
first, second = one_thread(), one_thread()
first.__enter__()
second.__enter__()
first.__exit__(None, None, None)
seen = {one["num_threads"] for one in threadpoolctl.threadpool_info()}
second.__exit__(None, None, None)
after = [one["num_threads"] for one in threadpoolctl.threadpool_info()]
assert seen == {1}, seen
assert after[: len(at_first)] == at_first, (at_first, after)
"""


def test_of_several_at_once_the_last_takes_the_limit_back() -> None:
    subprocess.run([sys.executable, "-c", OVERLAPPING], env=many_threads(), check=True)


THREADS = """
import ctypes
import json
import sys
import threading
from pathlib import Path

import numpy
import threadpoolctl

import bnpg
from bnpg.one_thread import one_thread


def counts():
    return {one["prefix"]: one["num_threads"] for one in threadpoolctl.threadpool_info()}


def elsewhere(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def train(name):
    run = bnpg.train("climbing", mode="exact", rounds=2, out=name)
    trained[name] = json.loads(Path(name, "run.json").read_text())["numerics"], run.summary["policy_digest"]


trained, seen = {}, []
train("here")
elsewhere(lambda: train("in a thread"))
threadpoolctl.threadpool_limits(limits=2)  # of the program's own: it keeps what all threads share
elsewhere(lambda: train("in another"))
assert len(set(trained.values())) == 1, trained

try:
    ctypes.CDLL("libgomp.so.1")  # has a number for every thread
except OSError:
    pass
at_first = counts()
assert max(at_first.values()) > 1


def inside(others=None):
    with one_thread():
        seen.append(counts())
        if others is not None:
            others()
            seen.append(counts())
    assert counts() == at_first or others is None, (at_first, counts())


elsewhere(lambda: inside(lambda: elsewhere(inside)))
inside(lambda: elsewhere(inside))
assert {number for one in seen for number in one.values()} == {1}, seen
assert counts() == at_first, (at_first, counts())
"""


def test_whatever_thread_it_is_called_in(tmp_path: Path) -> None:
    if os.cpu_count() == 1:
        pytest.skip("one core: nothing is shared among threads anyway")
    ran = subprocess.run(
        [sys.executable, "-c", THREADS],
        env=many_threads(),
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
