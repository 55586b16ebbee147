"""What nothing interrupts ends its process, if that is one of ours, and says where."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bnpg_coordinator.environments import last_resort
from bnpg_coordinator.environments.last_resort import OVERDUE
from bnpg_protocol.process.surroundings import OURS
from bnpg_protocol.wire.exit_codes import ExitCode

HERE = Path(__file__).parent
PLAYS = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import strange
from bnpg_coordinator.environments.world import EnvironmentWorld
from bnpg_protocol.process.surroundings import settle
settle()
world = EnvironmentWorld(getattr(strange, sys.argv[2]), "odd", 0.9, 20, patience=1.0)
world.begin(0, 1, 1).take(0, 0, 1, [np.zeros(1, dtype=np.uint8)] * 2, 1)
"""

LOOKS = """
import threading
from bnpg_coordinator.environments import last_resort
from bnpg_protocol.process.awake import Awake
from bnpg_protocol.process.surroundings import settle
settle()
looks, looked = 0, threading.Event()
def hours():
    global looks
    looks += 1
    if looks == 20:
        looked.set()
    return 3600.0 * looks
last_resort.Awake, last_resort.LOOK_EVERY = lambda: Awake(hours), 0.01
with last_resort.last_resort(60.0, lambda: "lane 0"):
    assert looked.wait(60.0)
"""


@pytest.mark.parametrize("kind", ["CatchesAll", "NeverReturns"])
def test_what_nothing_interrupts_ends_its_process(kind):
    done = subprocess.run(
        [sys.executable, "-c", PLAYS, str(HERE), kind],
        capture_output=True,
        text=True,
        check=False,
    )
    why = f"the environment hangs and nothing interrupts it, no answer for {OVERDUE * 1.0:g} s"
    assert done.stderr == f"bnpg: error: lane 0, step 0, all agents: {why}\n"
    assert done.returncode == ExitCode.DEADLINE


def test_what_was_stopped_and_woken_has_not_hung():
    with subprocess.Popen(
        [sys.executable, "-c", PLAYS, str(HERE), "IsStopped"], stderr=subprocess.PIPE, text=True
    ) as plays:
        try:
            os.waitid(os.P_PID, plays.pid, os.WSTOPPED)
            threading.Event().wait(3.0)  # twice as long as even the last resort waits
            plays.send_signal(signal.SIGCONT)
            assert plays.communicate(timeout=60)[1] == ""
        finally:
            plays.kill()
    assert plays.returncode == 0


def test_hours_between_two_looks_do_not_make_it_overdue():
    done = subprocess.run([sys.executable, "-c", LOOKS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_that_is_not_ours_is_not_ended():
    assert not OURS.is_set(), "the tests have only imported what they test"
    with last_resort.last_resort(1e-9, str):
        assert last_resort._looking.cache_info().currsize == 0, "nobody looks"
