"""Whoever is asked to end ends, in the midst of something long too; whoever answers ends in order."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

TRAINING = """
import sys
from bnpg.__main__ import main
from bnpg_protocol.process import asked_to_end
from bnpg_agents.learner import Learner

asked_to_end.GRACE = float(sys.argv.pop(1))
apply = Learner.apply_weights

def takes_long(self, *given, **named):
    print("in it", flush=True)
    sys.stdin.readline()
    return apply(self, *given, **named)

Learner.apply_weights = takes_long
sys.exit(main())
"""
OPTIONS = ("train", "climbing", "--rounds", "2", "--lanes", "4", "--horizon", "2", "--no-fsync", "--quiet")
STARTING = """
import sys
from bnpg.__main__ import main
from bnpg.launchers.local_place import LocalPlace
from bnpg_protocol.process import asked_to_end

asked_to_end.GRACE = float(sys.argv.pop(1))
start = LocalPlace.start

def takes_long(self, orders):
    started = start(self, orders)
    print("in it", flush=True)
    sys.stdin.readline()
    return started

LocalPlace.start = takes_long
sys.exit(main())
"""
LOOP = """
import sys
from types import SimpleNamespace
from bnpg_protocol.process import asked_to_end
from bnpg_protocol.process.loop import Loop
from bnpg_protocol.process.surroundings import OURS
from bnpg_protocol.wire.effects import Stop
from bnpg_protocol.wire.exit_codes import ExitCode

OURS.set()
asked_to_end.GRACE = float(sys.argv[1])
waits = iter([True])

def tick(now):
    if next(waits, False):
        print("in it", flush=True)
        sys.stdin.readline()
    return []

machine = SimpleNamespace(tick=tick, next_event=lambda: None, prepare=lambda: None)
transport = SimpleNamespace(receive=lambda _wait: [], close=lambda: None, send=lambda *_: True)
stop = lambda _now: [Stop(ExitCode.INTERRUPTED, "in order")]
ended = Loop(machine, transport, lambda _: None, stop, lambda _: []).run()
print(ended.why, flush=True)
sys.exit(int(ended.code))
"""


def interrupted(program: list[str], answers: bool, folder: Path) -> tuple[int, str, str]:
    """Start a program, ask it to end while it is in something that takes long; return how it ended."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", *program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=folder, env=environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "in it\n"
        process.send_signal(signal.SIGTERM)
        if answers:
            out, err = process.communicate("\n" * 20, timeout=300)
        else:
            assert process.wait(300) == ExitCode.INTERRUPTED
            out, err = "", process.stderr.read() if process.stderr is not None else ""
    return process.returncode, out, err


LATE = "bnpg: error: interrupted in the midst of something that took 0.2 s more\n"


def test_a_loop_that_does_not_come_to_it_is_left() -> None:
    assert interrupted([LOOP, "0.2"], False, Path()) == (ExitCode.INTERRUPTED, "", LATE)


def test_a_loop_that_comes_to_it_ends_in_order() -> None:
    code, out, err = interrupted([LOOP, "1000"], True, Path())
    assert (code, out, err) == (ExitCode.INTERRUPTED, "in order\n", "")


@pytest.mark.parametrize("answers", [False, True])
def test_a_launcher_that_waits_for_a_host_ends_either_way_and_the_run_goes_on(
    tmp_path: Path, answers: bool
) -> None:
    words = [STARTING, "1000" if answers else "0.2", *OPTIONS, "--out", "run"]
    code, _, err = interrupted(words, answers, tmp_path)
    assert code == ExitCode.INTERRUPTED
    assert (LATE in err) != answers
    command = [sys.executable, "-m", "bnpg", "resume", "run", "--quiet"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize("answers", [False, True])
def test_a_run_in_memory_ends_either_way_and_goes_on(tmp_path: Path, answers: bool) -> None:
    words = [TRAINING, "1000" if answers else "0.2", *OPTIONS, "--launcher", "memory", "--out", "run"]
    code, _, err = interrupted(words, answers, tmp_path)
    assert code == ExitCode.INTERRUPTED
    assert (err == LATE) != answers
    command = [sys.executable, "-m", "bnpg", "resume", "run", "--quiet"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "run" / "summary.json").exists()
